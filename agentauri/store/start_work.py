"""The work on triggers that begin in the past, as those who do it see it: taken by lease, written under its token.

A worker that lost its lease to another writes nothing more (Fenced). Whoever writes has locked the trigger's row
first, as every change of a trigger does, so the two cannot wait for each other. Where a trigger joins the log, its
past is done up to the seq of its first version, for the log's lock is held from before the last look.
"""

# all organizations: a worker takes whoever's turn it is

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from agentauri.errors import Fenced
from agentauri.store import log
from agentauri.store.database import Connection

LEASE_SECONDS = 15.0
"""After a worker died, another one goes on so much later."""
AT_ONCE = 2
"""Pasts that are worked off at a time; the cores belong to the path of live events."""

COLUMNS = """trigger_id, organization_id, partition, definition, after_seq, first_block, position, met_seq, token,
    state, base_seq, base_state"""

CLAIM_SQL = f"""
    UPDATE trigger_starts SET token = token + 1, lease_until = now() + $1 * interval '1 second', worked_at = now()
    WHERE trigger_id = (
        SELECT trigger_id FROM trigger_starts AS w
        WHERE status = 'working' AND (lease_until IS NULL OR lease_until < now()) AND $2 > (
            SELECT count(*) FROM trigger_starts AS t WHERE t.status = 'working' AND t.lease_until >= now())
        ORDER BY (SELECT max(worked_at) FROM trigger_starts AS o
                  WHERE o.organization_id = w.organization_id AND o.status = 'working') NULLS FIRST,
            worked_at NULLS FIRST, created_at, trigger_id
        LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING {COLUMNS}"""
"""The organization comes first whose last turn is longest ago."""

ADVANCE_SQL = """
    UPDATE trigger_starts SET position = $4, met_seq = $5, until_seq = $6, state = $7,
        base_seq = CASE $9 WHEN 'here' THEN $4 WHEN 'stays' THEN base_seq END,
        base_state = CASE $9 WHEN 'here' THEN $7 WHEN 'stays' THEN base_state END,
        lease_until = now() + $8 * interval '1 second'
    WHERE trigger_id = $1 AND token = $2 AND position = $3 AND status = 'working'"""

RENEW_SQL = """
    UPDATE trigger_starts SET lease_until = now() + $3 * interval '1 second'
    WHERE trigger_id = $1 AND token = $2 AND status = 'working'"""

JOIN_SQL = """
    UPDATE trigger_starts SET status = 'joined', position = $4, met_seq = $4, until_seq = $5, joined_seq = $5,
        state = $6, changes = $7, lease_until = NULL
    WHERE trigger_id = $1 AND token = $2 AND position = $3 AND status = 'working'"""

END_SQL = """
    UPDATE trigger_starts SET status = 'ended', state = NULL, base_state = NULL
    WHERE trigger_id = $1 AND status = 'working'"""

JOINED_SQL = """
    SELECT s.trigger_id, s.organization_id, s.partition, s.definition, s.after_seq, s.first_block, s.base_seq,
        s.base_state, s.joined_seq
    FROM unnest($1::smallint[], $2::bigint[]) AS base (partition, seq)
    JOIN trigger_starts AS s ON s.partition = base.partition AND s.joined_seq > base.seq
    WHERE s.joined_seq <= $3 AND s.status = 'joined' ORDER BY s.joined_seq"""

WATCHES_SQL = """
    SELECT trigger_id FROM trigger_starts
    WHERE partition = $1 AND joined_seq > $2 AND definition @> '{"conditions": [{"condition_type": "absence"}]}'"""


class Base(StrEnum):
    """What becomes of the place, with its state, from which what is taken back later is undone."""

    HERE = "here"
    STAYS = "stays"
    NONE = "none"


@dataclass(slots=True)
class Start:
    """A trigger's past in a worker's hands: from where on, how far, and what it remembers there (None: nothing yet)."""

    trigger_id: UUID
    organization_id: UUID
    partition: int
    definition: dict[str, Any]
    after_seq: int
    first_block: int | None
    position: int
    met_seq: int
    token: int
    state: bytes | None
    base_seq: int | None
    base_state: bytes | None


@dataclass(frozen=True, slots=True)
class Joined:
    """A trigger that joined the log at ``joined_seq`` with its past."""

    trigger_id: UUID
    organization_id: UUID
    partition: int
    definition: dict[str, Any]
    after_seq: int
    first_block: int | None
    base_seq: int | None
    base_state: bytes | None
    joined_seq: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many pasts wait for a worker, how many have one, and how many seqs the furthest behind has to go."""

    free: int
    taken: int
    lag: int

    @property
    def working(self) -> int:
        """All that are not at the log's head yet."""
        return self.free + self.taken


async def count(connection: Connection) -> Waiting:
    """What there is to do."""
    row = await connection.fetchrow(
        """SELECT count(*) FILTER (WHERE lease_until IS NULL OR lease_until < now()),
               count(*) FILTER (WHERE lease_until >= now()), min(position)
           FROM trigger_starts WHERE status = 'working'"""
    )
    assert row is not None
    free, taken, position = row
    return Waiting(free, taken, 0 if position is None else max(0, await log.head(connection) - position))


async def claim(connection: Connection) -> Start | None:
    """Take the past whose turn it is; None: there is nothing to do, or others do it."""
    row = await connection.fetchrow(CLAIM_SQL, LEASE_SECONDS, AT_ONCE)
    return None if row is None else Start(*row)


async def let_go(connection: Connection, start: Start) -> None:
    """Let others have their turn."""
    sql = "UPDATE trigger_starts SET lease_until = NULL WHERE trigger_id = $1 AND token = $2 AND status = 'working'"
    await connection.execute(sql, start.trigger_id, start.token)


async def renew(connection: Connection, start: Start) -> None:
    """Go on for another while. Raises Fenced when the work is another's, or is not wanted any more."""
    _refuse_if_none(await connection.execute(RENEW_SQL, start.trigger_id, start.token, LEASE_SECONDS))


async def lock(connection: Connection, start: Start) -> bool:
    """Lock the trigger's row to the end of the transaction; False: it was switched off, and the work is over.

    Raises Fenced when it is gone.
    """
    sql = "SELECT enabled FROM triggers WHERE id = $1 FOR NO KEY UPDATE"
    enabled: bool | None = await connection.fetchval(sql, start.trigger_id)
    if enabled is None:
        raise Fenced(f"trigger {start.trigger_id} is gone")
    if not enabled:
        await connection.execute(END_SQL, start.trigger_id)
    return enabled


async def lock_log(connection: Connection) -> None:
    """Let nothing be added to the log before the end of the transaction (protocol P1)."""
    await connection.execute("SELECT pg_advisory_xact_lock(8004, 1)")


async def advance(
    connection: Connection, start: Start, *, position: int, met_seq: int, until: int, state: bytes | None, base: Base
) -> None:
    """Write how far the work is. Raises Fenced, and writes nothing, when it is another's."""
    answer = await connection.execute(
        ADVANCE_SQL,
        start.trigger_id,
        start.token,
        start.position,
        position,
        met_seq,
        until,
        state,
        LEASE_SECONDS,
        base,
    )
    _refuse_if_none(answer)


async def join(
    connection: Connection, start: Start, *, position: int, joined_seq: int, state: bytes | None, changes: bytes | None
) -> None:
    """Write that the trigger joined the log. Raises Fenced, and writes nothing, when the work is another's."""
    answer = await connection.execute(
        JOIN_SQL, start.trigger_id, start.token, start.position, position, joined_seq, state, changes
    )
    _refuse_if_none(answer)


def _refuse_if_none(answer: str) -> None:
    if answer == "UPDATE 0":
        raise Fenced("the past of this trigger is another's work, or is not wanted any more")


async def list_joined(connection: Connection, bases: Mapping[int, int], upto: int) -> list[Joined]:
    """Triggers that joined the log after their partition's base, and no later than ``upto``."""
    rows = await connection.fetch(JOINED_SQL, list(bases), list(bases.values()), upto)
    return [Joined(*row) for row in rows]


async def list_watches_after(connection: Connection, partition: int, seq: int) -> list[UUID]:
    """Triggers with an absence that joined the log after ``seq``."""
    return [row[0] for row in await connection.fetch(WATCHES_SQL, partition, seq)]
