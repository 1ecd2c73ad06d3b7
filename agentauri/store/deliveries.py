"""Deliveries as their organization sees and steers them: list, inspect, replay, cancel, release.

Every statement names the organization. How deliverers take and finish rows: ``claims.py`` and ``attempts.py``;
how evaluators make them: ``firings.py``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agentauri.errors import Conflict, InvalidRequest, NotFound
from agentauri.models.action import ActionType
from agentauri.models.delivery import DeliveryStatus
from agentauri.store import cursors
from agentauri.store.database import Connection
from agentauri.store.places import RELOCATED, fits

SHOWN = """id, organization_id, trigger_id, action_id, event_id, event_seq, type, channel, status, status_code,
    status_reason, attempt_count, next_attempt_at, created_at, updated_at, delivered_at"""

LIST_SQL = f"""
    SELECT {SHOWN} FROM deliveries
    WHERE organization_id = $1
        AND ($2::text[] IS NULL OR status = ANY($2::text[]))
        AND ($3::uuid IS NULL OR trigger_id = $3)
        AND ($4::uuid IS NULL OR action_id = $4)
        AND ($5::text IS NULL OR channel = $5)
        AND ($6::timestamptz IS NULL OR created_at >= $6)
        AND ($7::timestamptz IS NULL OR created_at < $7)
        AND ($8::timestamptz IS NULL OR (created_at, id) < ($8, $9::uuid))
    ORDER BY created_at DESC, id DESC LIMIT $10"""

GET_SQL = f"SELECT {SHOWN}, context FROM deliveries WHERE organization_id = $1 AND id = $2"

OF_EVENT_SQL = """
    SELECT id, action_id, type, status, status_code, status_reason FROM deliveries
    WHERE organization_id = $1 AND trigger_id = $2 AND event_id = $3
        AND event_seq = (SELECT seq FROM events WHERE id = $3)
    ORDER BY created_at, id LIMIT 100"""

ATTEMPTS_SQL = """
    SELECT number, started_at, duration_ms, outcome, http_status, error_class, error_message, response_excerpt, request
    FROM delivery_attempts
    WHERE organization_id = $1 AND delivery_id = $2 AND started_at >= $3::timestamptz - interval '1 minute'
    ORDER BY number, started_at"""

REPLAY_SQL = f"""
    UPDATE deliveries AS d SET status = 'pending', status_code = NULL, status_reason = NULL,
        attempt_base = d.attempt_count, next_attempt_at = now(), updated_at = now(),
        {RELOCATED}
    FROM trigger_actions AS a
    WHERE d.organization_id = $1 AND d.id = ANY($2::uuid[]) AND d.status = ANY($3::text[])
        AND a.id = d.action_id AND a.enabled AND NOT d.retracted
    RETURNING d.id, d.lane"""

CANCEL_SQL = """
    UPDATE deliveries SET status = 'cancelled', updated_at = now(),
        status_code = CASE WHEN status IN ('pending', 'retrying') THEN 'cancelled_by_user' ELSE 'discarded' END,
        status_reason = CASE WHEN status IN ('pending', 'retrying') THEN 'Cancelled on request before it was delivered.'
            ELSE 'Discarded on request; it was ' || status || '.' END
    WHERE organization_id = $1 AND id = $2 AND status IN ('pending', 'retrying', 'held', 'dead', 'suppressed')"""

CANCEL_ACTION_SQL = """
    UPDATE deliveries SET status = 'cancelled', status_code = 'action_gone',
        status_reason = 'Its trigger or action was deleted.', updated_at = now()
    WHERE organization_id = $1 AND action_id = ANY($2::uuid[]) AND status IN ('pending', 'retrying', 'held')"""

RELEASE_SQL = f"""
    UPDATE deliveries AS d SET status = 'pending', status_code = NULL, status_reason = NULL,
        next_attempt_at = now(), updated_at = now(), {RELOCATED}
    FROM trigger_actions AS a
    WHERE d.organization_id = $1 AND d.action_id = $2 AND d.status = 'held' AND d.status_code = 'action_disabled'
        AND a.id = d.action_id AND a.enabled
    RETURNING d.lane"""

MOVE_SQL = f"""
    UPDATE deliveries AS d SET {RELOCATED}, updated_at = now()
    FROM trigger_actions AS a
    WHERE d.organization_id = $1 AND d.action_id = $2 AND d.status IN ('pending', 'retrying', 'held')
        AND a.id = d.action_id AND NOT ({fits("a.lane", "d.lane")} AND {fits("a.destination", "d.destination")})
    RETURNING d.lane"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is shown of a delivery. ``status_code`` says for programs why it has its status, ``status_reason`` for
    people. ``attempt_count`` includes attempts before a replay."""

    id: UUID
    organization_id: UUID
    trigger_id: UUID
    action_id: UUID
    event_id: UUID
    event_seq: int
    type: str
    channel: str
    status: str
    status_code: str | None
    status_reason: str | None
    attempt_count: int
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One recorded attempt; ``outcome`` is None while it runs. ``request`` holds no secrets."""

    number: int
    started_at: datetime
    duration_ms: int | None
    outcome: str | None
    http_status: int | None
    error_class: str | None
    error_message: str | None
    response_excerpt: str | None
    request: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A delivery with what was or will be sent from, and all its attempts, the first one first."""

    delivery: Delivery
    context: dict[str, Any]
    attempts: tuple[AttemptRow, ...]


WAITING = (DeliveryStatus.PENDING, DeliveryStatus.RETRYING)


def delivery_of(row: Iterable[tuple[str, Any]]) -> Delivery:
    """The delivery of a row that has the columns SHOWN."""
    shown = dict(row)
    shown.pop("context", None)
    if shown["status"] not in WAITING:
        shown["next_attempt_at"] = None
    return Delivery(**shown)


async def list_deliveries(
    connection: Connection,
    organization_id: UUID,
    *,
    statuses: Sequence[DeliveryStatus] | None = None,
    trigger_id: UUID | None = None,
    action_id: UUID | None = None,
    channel: ActionType | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> tuple[list[Delivery], str | None]:
    """A page, the newest first, and the cursor of the next one (None: this is the last). Raises InvalidRequest."""
    after = cursors.decode(cursor) if cursor else (None, None)
    wanted = list(statuses) if statuses else None
    filters = (wanted, trigger_id, action_id, channel, since, until)
    rows = await connection.fetch(LIST_SQL, organization_id, *filters, *after, limit + 1)
    page = [delivery_of(row.items()) for row in rows[:limit]]
    return page, cursors.encode(page[-1].created_at, page[-1].id) if len(rows) > limit else None


async def list_of_event(
    connection: Connection, organization_id: UUID, trigger_id: UUID, event_id: UUID
) -> list[dict[str, Any]]:
    """What a trigger's firing on one event led to, notices included."""
    rows = await connection.fetch(OF_EVENT_SQL, organization_id, trigger_id, event_id)
    return [dict(row) for row in rows]


async def get_delivery(connection: Connection, organization_id: UUID, delivery_id: UUID) -> DeliveryDetail:
    """One delivery with its attempts. Raises NotFound, also for another organization's."""
    row = await connection.fetchrow(GET_SQL, organization_id, delivery_id)
    if row is None:
        raise NotFound(f"there is no delivery {delivery_id}.")
    attempts = await connection.fetch(ATTEMPTS_SQL, organization_id, delivery_id, row["created_at"])
    return DeliveryDetail(delivery_of(row.items()), row["context"], tuple(AttemptRow(**dict(one)) for one in attempts))


REPLAYED_BY_DEFAULT = (DeliveryStatus.DEAD,)
REPLAYABLE = (DeliveryStatus.DEAD, DeliveryStatus.SUPPRESSED, DeliveryStatus.CANCELLED)


async def replay(
    connection: Connection,
    organization_id: UUID,
    delivery_ids: Sequence[UUID],
    *,
    statuses: Sequence[DeliveryStatus] = REPLAYED_BY_DEFAULT,
) -> tuple[set[UUID], set[str]]:
    """Queue finished deliveries again under their ids and their actions' present places (protocol P25).

    Attempt numbers go on, the retry schedule starts afresh. Rows of other statuses, of deleted or disabled actions,
    and of retracted events are left alone. Returns the ids that were queued and the lanes to ring.
    """
    if not set(statuses) <= set(REPLAYABLE):
        raise InvalidRequest(f"only {', '.join(REPLAYABLE)} deliveries can be replayed.")
    rows = await connection.fetch(REPLAY_SQL, organization_id, list(delivery_ids), list(statuses))
    return {row["id"] for row in rows}, {row["lane"] for row in rows}


async def cancel(connection: Connection, organization_id: UUID, delivery_id: UUID) -> None:
    """Cancel a delivery that waits, or discard one that was not delivered. Raises NotFound or Conflict."""
    if await connection.execute(CANCEL_SQL, organization_id, delivery_id) == "UPDATE 1":
        return
    found = await get_delivery(connection, organization_id, delivery_id)
    raise Conflict(f"the delivery is {found.delivery.status}; one that is under way or over cannot be cancelled.")


async def cancel_of_actions(connection: Connection, organization_id: UUID, action_ids: Sequence[UUID]) -> int:
    """Cancel what still waits for actions that are being deleted; call it in their transaction. Returns how many."""
    answer = await connection.execute(CANCEL_ACTION_SQL, organization_id, list(action_ids))
    return int(answer.removeprefix("UPDATE "))


async def release_held(connection: Connection, organization_id: UUID, action_id: UUID) -> set[str]:
    """Queue what was held while an action was disabled; call it when it is enabled. Returns the lanes to ring."""
    return {row["lane"] for row in await connection.fetch(RELEASE_SQL, organization_id, action_id)}


async def move_to_new_place(connection: Connection, organization_id: UUID, action_id: UUID) -> set[str]:
    """Re-lane an action's waiting deliveries after its destination was edited (P23). Returns the lanes to ring."""
    return {row["lane"] for row in await connection.fetch(MOVE_SQL, organization_id, action_id)}
