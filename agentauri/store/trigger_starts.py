"""Triggers that begin in the past, as their organizations see them: where they begin, and that their work is over.

The work itself is that of ``start_work``. Whoever calls has the trigger's row locked, or has just made it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentauri.errors import LimitReached
from agentauri.models.packed import unpack_changed
from agentauri.store.database import Connection

MOST_WORKING = 20
"""Of one organization at a time."""
TOO_MANY = f"an organization can have the past of {MOST_WORKING} triggers worked off at a time; wait until one is done."


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a chain's events; None where there is none."""

    first_block: int | None
    last_block: int | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A trigger that began after ``after_seq``, and joined the log at ``joined_seq`` (None: not yet, or never).

    What it remembered there is kept as long as something is worked out from it.
    """

    after_seq: int
    first_block: int | None
    joined_seq: int | None
    state: bytes | None
    changes: bytes | None

    @property
    def remembered(self) -> dict[str, Any] | None:
        """What it remembered where it joined the log; None: that is not kept."""
        return None if self.joined_seq is None else unpack_changed(self.state, self.changes)


async def begin(
    connection: Connection,
    *,
    trigger_id: UUID,
    organization_id: UUID,
    partition: int,
    definition: dict[str, Any],
    after_seq: int,
    first_block: int | None,
    head: int,
) -> None:
    """Have a trigger meet the events after ``after_seq``, and of no block before ``first_block``, before it goes live.

    What a retraction at or below ``head`` took out is not met. The organization's row is locked, so that the count
    holds. Raises LimitReached.
    """
    sql = "SELECT count(*) FROM trigger_starts WHERE organization_id = $1 AND status = 'working'"
    if await connection.fetchval(sql, organization_id) >= MOST_WORKING:
        raise LimitReached(TOO_MANY)
    await connection.execute(
        """INSERT INTO trigger_starts (trigger_id, organization_id, partition, definition, after_seq, first_block,
               position, until_seq, met_seq)
           VALUES ($1, $2, $3, $4, $5, $6, $5, $7, $7)""",
        trigger_id,
        organization_id,
        partition,
        definition,
        after_seq,
        first_block,
        head,
    )


async def is_working(connection: Connection, organization_id: UUID, trigger_id: UUID) -> bool:
    """Whether the trigger's past is still worked off."""
    found: bool = await connection.fetchval(
        """SELECT EXISTS (SELECT FROM trigger_starts
               WHERE organization_id = $1 AND trigger_id = $2 AND status = 'working')""",
        organization_id,
        trigger_id,
    )
    return found


async def end(connection: Connection, organization_id: UUID, trigger_id: UUID) -> None:
    """Work off no more of the trigger's past; what it came to so far stays. One that is done stays as it is."""
    await connection.execute(
        """UPDATE trigger_starts SET status = 'ended', state = NULL, base_state = NULL, lease_until = NULL
           WHERE organization_id = $1 AND trigger_id = $2 AND status = 'working'""",
        organization_id,
        trigger_id,
    )


async def find_begun(connection: Connection, organization_id: UUID, trigger_id: UUID) -> Begun | None:
    """Where a trigger began; None: when it was made."""
    row = await connection.fetchrow(
        """SELECT after_seq, first_block, joined_seq, state, changes FROM trigger_starts
           WHERE organization_id = $1 AND trigger_id = $2""",
        organization_id,
        trigger_id,
    )
    return None if row is None else Begun(*row)


async def find_seq_of_block(connection: Connection, chain_id: int, block: int) -> int | None:
    """The seq of the first event of a chain in this block or a later one; None: there is none so far."""
    found: int | None = await connection.fetchval(
        """SELECT seq FROM events WHERE chain_id = $1 AND block_number >= $2 AND retracted_seq IS NULL
           ORDER BY block_number, seq LIMIT 1""",
        chain_id,
        block,
    )
    return found


async def known_blocks(connection: Connection, chain_id: int) -> Known:
    """The first block of a chain of which an event is kept, and the last one that was looked at."""
    row = await connection.fetchrow(
        """SELECT (SELECT min(block_number) FROM events WHERE chain_id = $1),
               greatest((SELECT max(block_number) FROM events WHERE chain_id = $1),
                   (SELECT block_number FROM chains WHERE chain_id = $1))""",
        chain_id,
    )
    assert row is not None
    return Known(*row)
