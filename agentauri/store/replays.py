"""Queueing again what was not delivered, one by one or by a filter (protocol P25).

Ids stay, attempt numbers go on, the schedule starts afresh, at the place that the action now has. What cannot be sent
is left alone: deliveries of actions that are gone or disabled, and of events that were taken back. Everything is the
caller's transaction; the lanes to ring come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.errors import Conflict
from agentauri.models.delivery import DeliveryStatus, StatusCode
from agentauri.store import deliveries
from agentauri.store.database import Connection
from agentauri.store.deliveries import REPLAYABLE, REPLAYED_BY_DEFAULT
from agentauri.store.patterns import containing

MAX_REPLAYED = 1_000
"""Deliveries of one call: a statement of some tens of milliseconds."""

CHOOSE_SQL = """
    SELECT d.id FROM deliveries AS d
    WHERE d.organization_id = $1 AND d.status IN ('dead', 'suppressed', 'cancelled') AND d.status = ANY($2::text[])
        AND ($3::uuid IS NULL OR d.trigger_id = $3) AND ($4::uuid IS NULL OR d.action_id = $4)
        AND ($5::timestamptz IS NULL OR d.created_at >= $5) AND ($6::timestamptz IS NULL OR d.created_at < $6)
        AND ($7::text IS NULL OR d.status_code = $7) AND ($8::text IS NULL OR d.status_reason ILIKE $8)
        AND NOT d.retracted
        AND EXISTS (SELECT FROM trigger_actions AS a
            WHERE a.id = d.action_id AND a.organization_id = $1 AND a.enabled)
    ORDER BY d.created_at, d.id LIMIT $9 FOR UPDATE OF d SKIP LOCKED"""

OBSTACLE_SQL = """
    SELECT d.retracted, a.enabled FROM deliveries AS d LEFT JOIN trigger_actions AS a
        ON a.id = d.action_id AND a.organization_id = d.organization_id
    WHERE d.organization_id = $1 AND d.id = $2"""


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """Which deliveries to send again; None does not narrow. ``error`` is a part of the status's reason."""

    statuses: Sequence[DeliveryStatus] = REPLAYED_BY_DEFAULT
    trigger_id: UUID | None = None
    action_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    status_code: StatusCode | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many were queued, whether more may fit, and the lanes to ring."""

    count: int
    more: bool
    lanes: set[str]


async def replay_one(connection: Connection, organization_id: UUID, delivery_id: UUID) -> set[str]:
    """Queue a dead, suppressed or cancelled delivery again; the lanes to ring. Raises NotFound or Conflict."""
    done, lanes = await deliveries.replay(connection, organization_id, [delivery_id], statuses=REPLAYABLE)
    if not done:
        raise Conflict(await _obstacle(connection, organization_id, delivery_id))
    return lanes


async def _obstacle(connection: Connection, organization_id: UUID, delivery_id: UUID) -> str:
    found = await deliveries.get_delivery(connection, organization_id, delivery_id)
    if found.delivery.status not in REPLAYABLE:
        return f"the delivery is {found.delivery.status}; only {', '.join(REPLAYABLE)} ones can be replayed."
    row = await connection.fetchrow(OBSTACLE_SQL, organization_id, delivery_id)
    if row is not None and row["retracted"]:
        return "a reorganisation of the chain took the delivery's event back; there is nothing to tell any more."
    if row is None or row["enabled"] is None:
        return "the delivery's action was deleted, so there is nowhere to send it."
    return "the delivery's action is disabled; enable it first."


async def replay_matching(
    connection: Connection, organization_id: UUID, wanted: ReplayFilter, *, limit: int = MAX_REPLAYED
) -> Replayed:
    """Queue what fits again, the oldest first, at most ``limit``."""
    rows = await connection.fetch(
        CHOOSE_SQL,
        organization_id,
        list(wanted.statuses),
        wanted.trigger_id,
        wanted.action_id,
        wanted.since,
        wanted.until,
        wanted.status_code,
        containing(wanted.error),
        limit,
    )
    ids = [row["id"] for row in rows]
    done, lanes = await deliveries.replay(connection, organization_id, ids, statuses=wanted.statuses)
    return Replayed(len(done), len(ids) == limit, lanes)
