"""How far each partition has met the chains' clocks, where that led to something (protocol P12, P15, P20).

Written in the transaction of what a clock led to, so that a replay can meet it again without telling it twice. A
chain that is reorganised has another clock from there on; what is kept of the old one goes with the retraction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agentauri.models.page import Clock
from agentauri.store.database import Connection

KEEP_SQL = """
    INSERT INTO partition_clocks (partition, chain_id, time, clock_seq, met_seq)
    SELECT p, c.chain_id, c.time, c.seq, $5 FROM unnest($1::smallint[]) AS p
    CROSS JOIN unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS c (chain_id, time, seq)
    ON CONFLICT (partition, chain_id) DO UPDATE
    SET time = excluded.time, clock_seq = excluded.clock_seq, met_seq = excluded.met_seq"""

KEPT_SQL = """
    SELECT count(*) FROM partition_clocks AS k
    JOIN unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS c (chain_id, time, seq)
        ON k.chain_id = c.chain_id AND k.time = c.time AND k.clock_seq = c.seq
    WHERE k.partition = ANY($1::smallint[])"""


@dataclass(frozen=True, slots=True)
class KeptClock:
    """Absences of the chain up to ``time`` (seconds since 1970) were told in the partition, when it was at ``met_seq``.

    Those of events up to ``clock_seq``: so far had the log come at that time. A trigger that joined the log with its
    past after ``met_seq`` has not met the clock.
    """

    partition: int
    chain_id: int
    time: int
    clock_seq: int
    met_seq: int


async def keep(connection: Connection, partitions: Sequence[int], clocks: Sequence[Clock], seq: int) -> None:
    """The partitions, which are at ``seq``, have met these clocks, one a chain."""
    await connection.execute(KEEP_SQL, list(partitions), *_columns(clocks), seq)


async def are_kept(connection: Connection, partitions: Sequence[int], clocks: Sequence[Clock]) -> bool:
    """Whether ``keep`` of the same took place: a commit whose answer was lost."""
    found: int = await connection.fetchval(KEPT_SQL, list(partitions), *_columns(clocks))
    return found == len(partitions) * len(clocks)


def _columns(clocks: Sequence[Clock]) -> tuple[list[int], list[int], list[int]]:
    return [one.chain_id for one in clocks], [one.time for one in clocks], [one.seq for one in clocks]


async def list_kept(connection: Connection, partitions: Sequence[int]) -> list[KeptClock]:
    """The clocks that these partitions have met."""
    sql = """SELECT partition, chain_id, time, clock_seq, met_seq FROM partition_clocks
             WHERE partition = ANY($1::smallint[]) ORDER BY 1, 2"""
    return [KeptClock(*row) for row in await connection.fetch(sql, list(partitions))]


async def forget(connection: Connection, partitions: Sequence[int], chain_id: int) -> None:
    """The chain was reorganised: its clock begins anew."""
    sql = "DELETE FROM partition_clocks WHERE partition = ANY($1::smallint[]) AND chain_id = $2"
    await connection.execute(sql, list(partitions), chain_id)
