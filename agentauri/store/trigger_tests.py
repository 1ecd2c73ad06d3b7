"""Tests of triggers over long stretches: asked once, worked off in parts by whoever, told to whoever asks.

A part is written by its one worker; the test is what its parts are together, so nobody has to bring them together.
A test that was cancelled, or whose row is gone, takes no more from its workers, and they stop.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from agentauri.errors import LimitReached, NotFound
from agentauri.store.database import Connection

MOST_RUNNING = 2
"""Of one organization at a time."""
KEPT_HOURS = 24
SILENT_SECONDS = 60
"""A part that says nothing for so long has lost its worker."""
NOT_FOUND = "there is no such test; it is kept for a day."
TOO_MANY = f"an organization can have {MOST_RUNNING} tests run at a time; cancel one, or wait until it is done."


class TrialStatus(StrEnum):
    """Where a test stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """A test to be run."""

    id: UUID
    organization_id: UUID
    trigger_id: UUID | None
    definition: dict[str, Any]
    actions: list[dict[str, Any]]
    total: int


@dataclass(frozen=True, slots=True)
class Part:
    """How far a worker is with its part of a test."""

    evaluated: int = 0
    matched: int = 0
    cooled_down: int = 0
    fired: int = 0
    days: dict[str, int] | None = None
    matches: list[dict[str, Any]] | None = None
    error: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """A test as it stands; ``matches`` in the order of the log."""

    id: UUID
    asked: Asked
    status: TrialStatus
    error: str | None
    evaluated: int
    matched: int
    cooled_down: int
    fired: int
    days: dict[date, int]
    matches: list[dict[str, Any]]


RUNNING_SQL = f"""
    SELECT count(*) FROM trigger_tests AS t
    WHERE t.organization_id = $1 AND t.cancelled_at IS NULL AND EXISTS (
        SELECT FROM trigger_test_parts AS p WHERE p.test_id = t.id AND p.ended_at IS NULL
            AND p.updated_at > statement_timestamp() - interval '{SILENT_SECONDS} seconds')"""

# all organizations: a worker tells of its part, which it was given by id
TELL_SQL = """
    UPDATE trigger_test_parts AS p SET evaluated = $3, matched = $4, cooled_down = $5, fired = $6,
        days = coalesce($7, p.days), matches = coalesce($8, p.matches), error = $9,
        ended_at = CASE WHEN $10 THEN statement_timestamp() END, updated_at = statement_timestamp()
    FROM trigger_tests AS t
    WHERE p.test_id = $1 AND p.number = $2 AND t.id = p.test_id AND t.cancelled_at IS NULL"""

PARTS_SQL = f"""
    SELECT p.*, p.ended_at IS NULL AND p.updated_at < statement_timestamp() - interval '{SILENT_SECONDS} seconds'
        AS is_lost
    FROM trigger_test_parts AS p JOIN trigger_tests AS t ON t.id = p.test_id
    WHERE t.organization_id = $1 AND t.id = $2 ORDER BY p.number"""


async def begin(connection: Connection, asked: Asked, parts: int) -> None:
    """Write down a test with its parts, and forget old ones, in the caller's transaction. Raises LimitReached."""
    organization_id = asked.organization_id
    await connection.execute("SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization_id)
    if await connection.fetchval(RUNNING_SQL, organization_id) >= MOST_RUNNING:
        raise LimitReached(TOO_MANY)
    await connection.execute(
        f"""DELETE FROM trigger_tests
            WHERE organization_id = $1 AND created_at < statement_timestamp() - interval '{KEPT_HOURS} hours'""",
        organization_id,
    )
    await connection.execute(
        """INSERT INTO trigger_tests (id, organization_id, trigger_id, definition, actions, total)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        asked.id,
        organization_id,
        asked.trigger_id,
        asked.definition,
        asked.actions,
        asked.total,
    )
    await connection.execute(
        "INSERT INTO trigger_test_parts (test_id, number) SELECT $1, generate_series(0, $2::int - 1)", asked.id, parts
    )


async def tell(connection: Connection, test_id: UUID, number: int, part: Part) -> bool:
    """Say how far a part is; False: nobody wants to know any more."""
    answer = await connection.execute(
        TELL_SQL,
        test_id,
        number,
        part.evaluated,
        part.matched,
        part.cooled_down,
        part.fired,
        part.days,
        part.matches,
        part.error,
        part.ended,
    )
    return bool(answer == "UPDATE 1")


async def get_test(connection: Connection, organization_id: UUID, test_id: UUID) -> Trial:
    """The test as it stands. Raises NotFound."""
    row = await connection.fetchrow(
        """SELECT id, organization_id, trigger_id, definition, actions, total, cancelled_at FROM trigger_tests
           WHERE organization_id = $1 AND id = $2""",
        organization_id,
        test_id,
    )
    if row is None:
        raise NotFound(NOT_FOUND)
    asked = Asked(*tuple(row)[:-1])
    parts = await connection.fetch(PARTS_SQL, organization_id, test_id)
    status, error = TrialStatus.DONE, next((part["error"] for part in parts if part["error"]), None)
    if any(part["ended_at"] is None for part in parts):
        status = TrialStatus.RUNNING
    if any(part["is_lost"] for part in parts):
        status, error = TrialStatus.FAILED, "a process that worked on it went away; ask again."
    if row["cancelled_at"] is not None:
        status = TrialStatus.CANCELLED
    days: Counter[date] = Counter()
    for part in parts:
        days.update({datetime.fromisoformat(day).date(): count for day, count in part["days"].items()})
    return Trial(
        id=test_id,
        asked=asked,
        status=status,
        error=error,
        evaluated=sum(part["evaluated"] for part in parts),
        matched=sum(part["matched"] for part in parts),
        cooled_down=sum(part["cooled_down"] for part in parts),
        fired=sum(part["fired"] for part in parts),
        days=dict(sorted(days.items())),
        matches=[match for part in parts for match in part["matches"]],
    )


async def cancel(connection: Connection, organization_id: UUID, test_id: UUID) -> None:
    """Have its workers stop; one that is done stays as it is. Raises NotFound."""
    answer = await connection.execute(
        """UPDATE trigger_tests AS t SET cancelled_at = coalesce(cancelled_at, statement_timestamp())
           WHERE organization_id = $1 AND id = $2
               AND EXISTS (SELECT FROM trigger_test_parts AS p WHERE p.test_id = t.id AND p.ended_at IS NULL)""",
        organization_id,
        test_id,
    )
    if answer == "UPDATE 0":
        await get_test(connection, organization_id, test_id)


def day_text(day: int) -> str:
    """A day since 1970 as a part keeps it."""
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
