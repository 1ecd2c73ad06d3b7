"""What an organization has of the things that its plan bounds, and keeping it within.

``check`` is called in the transaction that adds, after the rows are written. Near a bound it is exact: it holds the
organization's row to the end, so two that add at once are counted one after the other. Far from it nobody waits for
another. The bound of the queue is watched once a round of maintenance instead: whoever makes deliveries must not wait
for a count.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from agentauri.errors import LimitReached, NotFound
from agentauri.models.plan import Plan
from agentauri.store.database import Connection


class Countable(StrEnum):
    """What ``check`` bounds."""

    TRIGGERS = "triggers"
    ACTIONS = "actions"
    API_KEYS = "api_keys"
    MEMBERS = "members"


class Bounds(Protocol):
    """What an organization may have; the settings' tables of plans are such."""

    @property
    def triggers(self) -> int:
        """Triggers."""
        ...

    @property
    def actions(self) -> int:
        """Actions of all triggers."""
        ...

    @property
    def api_keys(self) -> int:
        """Live API keys."""
        ...

    @property
    def members(self) -> int:
        """Members and open invitations."""
        ...

    @property
    def queued_deliveries(self) -> int:
        """Deliveries that are not finished."""
        ...


NAMES = {
    Countable.TRIGGERS: "triggers",
    Countable.ACTIONS: "actions",
    Countable.API_KEYS: "API keys",
    Countable.MEMBERS: "members and open invitations",
}
NO_ORGANIZATION = "this organization does not exist."
QUEUE_RELIEVED = 0.9
"""A full queue takes new rows again when it is down to this part of its bound."""
OPEN = "d.status IN ('pending', 'retrying', 'delivering', 'held')"
"""What waits, exactly as the index of open deliveries has it: its count then reads no row."""

ROOM = 1_000
"""More than others can be about to add: transactions under way, times what one adds."""

PLAN_SQL = "SELECT plan FROM organizations WHERE id = $1 AND closed_at IS NULL FOR NO KEY UPDATE"
STAYS_SQL = "SELECT true FROM organizations WHERE id = $1 AND closed_at IS NULL FOR SHARE"
"""Whoever closes the organization waits for this transaction, or is waited for."""

COUNTS = {
    Countable.TRIGGERS: "(SELECT count(*) FROM triggers WHERE organization_id = $1)",
    Countable.ACTIONS: "(SELECT count(*) FROM trigger_actions WHERE organization_id = $1)",
    Countable.API_KEYS: """(SELECT count(*) FROM api_keys WHERE organization_id = $1
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()))""",
    Countable.MEMBERS: """((SELECT count(*) FROM members WHERE organization_id = $1)
        + (SELECT count(*) FROM invitations WHERE organization_id = $1 AND expires_at > now()))""",
}

QUEUED_SQL = f"""
    SELECT count(*) FROM trigger_actions AS a JOIN deliveries AS d ON d.action_id = a.id
    WHERE a.organization_id = $1 AND {OPEN}"""

FULL_SQL = f"""
    WITH queued AS (
        SELECT a.organization_id, sum(n.queued) AS queued
        FROM (SELECT d.action_id, count(*) AS queued FROM deliveries AS d WHERE {OPEN} GROUP BY d.action_id) AS n
        JOIN trigger_actions AS a ON a.id = n.action_id GROUP BY a.organization_id),
    judged AS (
        SELECT o.id, coalesce(q.queued, 0) >= b.bound * (CASE WHEN o.queue_full_at IS NULL THEN 1 ELSE $3::float8 END)
            AS is_full
        FROM organizations AS o JOIN unnest($1::text[], $2::bigint[]) AS b (plan, bound) ON b.plan = o.plan
        LEFT JOIN queued AS q ON q.organization_id = o.id
        WHERE q.organization_id IS NOT NULL OR o.queue_full_at IS NOT NULL)
    UPDATE organizations AS o SET queue_full_at = CASE WHEN j.is_full THEN now() END
    FROM judged AS j WHERE o.id = j.id AND j.is_full <> (o.queue_full_at IS NOT NULL)
    RETURNING o.id, o.queue_full_at IS NOT NULL AS is_full"""

MONTH_SQL = """
    SELECT (SELECT count(*) FROM deliveries WHERE organization_id = $1 AND created_at >= $2),
        (SELECT coalesce(sum(fired), 0)::bigint FROM trigger_ledger WHERE organization_id = $1 AND day >= $2::date)"""


async def check(
    connection: Connection, organization_id: UUID, added: Mapping[Countable, int], bounds: Mapping[Plan, Bounds]
) -> None:
    """Raise LimitReached when what was ``added``, written already, is more than the organization's plan allows."""
    asked = [what for what, number in added.items() if number > 0]
    if not asked or await _has_room(connection, organization_id, asked, bounds):
        return
    plan = await connection.fetchval(PLAN_SQL, organization_id)
    if plan is None:
        raise NotFound(NO_ORGANIZATION)
    # A statement of its own, so that it sees what those committed who held the row before.
    counts = await connection.fetchrow(f"SELECT {_counts(asked)}", organization_id)
    assert counts is not None
    for what, found in zip(asked, counts, strict=True):
        bound: int = getattr(bounds[Plan(plan)], what)
        if found > bound:
            raise LimitReached(
                f"the plan {plan} allows an organization {bound} {NAMES[what]} ({what}); remove some first."
            )


async def _has_room(
    connection: Connection, organization_id: UUID, asked: Sequence[Countable], bounds: Mapping[Plan, Bounds]
) -> bool:
    """Whether the bounds are far, whatever others add at this moment; then the organization stays until the end."""
    sql = f"SELECT plan, {_counts(asked)} FROM organizations WHERE id = $1 AND closed_at IS NULL"
    row = await connection.fetchrow(sql, organization_id)
    if row is None:
        raise NotFound(NO_ORGANIZATION)
    plan, *counts = row
    if any(found + ROOM > getattr(bounds[Plan(plan)], what) for what, found in zip(asked, counts, strict=True)):
        return False
    if await connection.fetchval(STAYS_SQL, organization_id) is None:
        raise NotFound(NO_ORGANIZATION)
    return True


def _counts(asked: Sequence[Countable]) -> str:
    return ", ".join(COUNTS[what] for what in asked)


async def count_all(connection: Connection, organization_id: UUID) -> dict[str, int]:
    """How many the organization has of each."""
    row = await connection.fetchrow(f"SELECT {_counts(list(Countable))}", organization_id)
    assert row is not None
    return dict(zip((what.value for what in Countable), row, strict=True))


async def count_queued(connection: Connection, organization_id: UUID) -> int:
    """How many deliveries of the organization are not finished."""
    found: int = await connection.fetchval(QUEUED_SQL, organization_id)
    return found


async def count_month(connection: Connection, organization_id: UUID, month: datetime) -> tuple[int, int]:
    """Deliveries made since the beginning of ``month``, and events on which triggers fired, by their block time."""
    row = await connection.fetchrow(MONTH_SQL, organization_id, month)
    assert row is not None
    return row[0], row[1]


async def mark_full_queues(connection: Connection, bounds: Mapping[Plan, Bounds]) -> dict[UUID, bool]:
    """Note which organizations' queues are full; returns those that became so (True) or are no longer."""
    plans = list(bounds)
    limits = [bounds[plan].queued_deliveries for plan in plans]
    rows = await connection.fetch(FULL_SQL, [plan.value for plan in plans], limits, QUEUE_RELIEVED)
    return {row["id"]: row["is_full"] for row in rows}
