"""Whole snapshots of a partition's state in PostgreSQL (protocol P17), and which of them a replay may begin with.

A snapshot is one row, so it is one batch boundary and one transaction by itself; it is added, never replaced. One
that holds contributions of events retracted later is never loaded past that retraction.
"""

# all organizations: state is kept by partition, not by organization

from collections.abc import Mapping, Sequence
from typing import Any

from agentauri.errors import StoreError
from agentauri.models.packed import pack, unpack
from agentauri.models.page import Retraction, Version
from agentauri.store.database import Connection
from agentauri.store.partitions import Owned

ADD_SQL = """
    INSERT INTO trigger_state (partition, last_seq, owner_token, state, keys)
    SELECT partition, last_seq, owner_token, $4, $5 FROM partitions
    WHERE partition = $1 AND owner_token = $2 AND last_seq = $3
    ON CONFLICT (partition, last_seq) DO NOTHING"""

LIST_SQL = """
    SELECT partition, last_seq FROM trigger_state WHERE partition = ANY($1::smallint[]) AND last_seq <= $2
    ORDER BY partition, last_seq DESC"""

STATEFUL_SQL = """
    SELECT partition, min(from_seq) - 1 AS seq FROM trigger_versions
    WHERE partition = ANY($1::smallint[]) AND keeps_state AND from_seq <= $2 GROUP BY partition"""

VERSIONS_AT_SQL = """
    SELECT DISTINCT ON (v.trigger_id) v.trigger_id, v.from_seq, v.partition, v.definition
    FROM unnest($1::smallint[], $2::bigint[]) AS base (partition, seq)
    JOIN trigger_versions AS v ON v.partition = base.partition AND v.from_seq <= base.seq
    ORDER BY v.trigger_id, v.from_seq DESC"""

LOAD_SQL = """
    SELECT (SELECT state FROM trigger_state WHERE partition = $1 AND last_seq = $2) AS state,
        EXISTS (SELECT FROM trigger_versions WHERE partition = $1 AND keeps_state AND from_seq <= $2) AS has_past"""

PRUNE_SQL = """
    WITH floor AS (
        SELECT partition, max(last_seq) AS seq FROM trigger_state AS t
        WHERE last_seq < $1 AND NOT EXISTS (
            SELECT FROM retractions AS r WHERE r.first_retracted_seq <= t.last_seq AND t.last_seq < r.seq)
        GROUP BY partition)
    DELETE FROM trigger_state AS s USING floor AS f WHERE s.partition = f.partition AND s.last_seq < f.seq"""

State = dict[str, Any]


def usable(seq: int, upto: int, retractions: Sequence[Retraction]) -> bool:
    """Whether state as of ``seq`` may begin a replay to ``upto``: nothing in it was retracted in between (P18)."""
    return seq <= upto and not any(seq < one.seq <= upto and one.first_seq <= seq for one in retractions)


async def add(connection: Connection, owned: Owned, state: Mapping[str, Any]) -> bool:
    """Keep the whole state of a partition as of its progress; False if it is not ours or not there any more."""
    answer = await connection.execute(ADD_SQL, owned.partition, owned.token, owned.last_seq, pack(state), len(state))
    return answer.endswith("1")


async def bases(
    connection: Connection,
    partitions: Sequence[int],
    upto: int,
    retractions: Sequence[Retraction],
    *,
    most: int | None = None,
) -> dict[int, int]:
    """The seq after which each partition's replay to ``upto`` begins: its newest usable snapshot's.

    Where there is none, it is the place before the first trigger that keeps state, for state was empty there; a
    partition without such triggers needs no replay at all. ``most``: begin no later than this (default ``upto``).
    """
    limit = upto if most is None else most
    first = dict.fromkeys(partitions, limit)
    for row in await connection.fetch(STATEFUL_SQL, list(partitions), upto):
        first[row["partition"]] = min(row["seq"], limit)
    found: dict[int, int] = {}
    for row in await connection.fetch(LIST_SQL, list(partitions), limit):
        if row["partition"] not in found and usable(row["last_seq"], upto, retractions):
            found[row["partition"]] = row["last_seq"]
    return {partition: max(found.get(partition, 0), seq) for partition, seq in first.items()}


async def find_newest(
    connection: Connection, partition: int, most: int, upto: int, retractions: Sequence[Retraction]
) -> int | None:
    """The seq of a partition's newest snapshot, no later than ``most``, that may begin a replay to ``upto``."""
    rows = await connection.fetch(LIST_SQL, [partition], most)
    return next((row["last_seq"] for row in rows if usable(row["last_seq"], upto, retractions)), None)


async def load(connection: Connection, partition: int, seq: int) -> State:
    """The state as of a base: that of the snapshot there; empty where the base is none.

    Raises StoreError when the base was a snapshot, and maintenance has removed it since: another one is to be found.
    """
    row = await connection.fetchrow(LOAD_SQL, partition, seq)
    assert row is not None
    if row["state"] is None:
        if row["has_past"]:
            raise StoreError(f"partition {partition} has no snapshot at {seq} any more; begin again with another base")
        return {}
    return unpack(row["state"])


async def versions_at(connection: Connection, bases: Mapping[int, int]) -> list[Version]:
    """Each trigger's version as of its partition's base seq, those that were off left out."""
    rows = await connection.fetch(VERSIONS_AT_SQL, list(bases), list(bases.values()))
    return [Version(*row) for row in rows if row["definition"] is not None]


async def prune(connection: Connection, final_seq: int) -> int:
    """Drop snapshots that no replay can need; returns how many went.

    What stays is the newest below ``final_seq`` of which nothing was retracted later, and all that are newer.
    """
    answer = await connection.execute(PRUNE_SQL, final_seq)
    return int(answer.removeprefix("DELETE "))
