"""Triggers with their conditions and actions: one row and its parts, always read and written together.

Every read and write names the organization, so another's trigger is not found. Writing a trigger's version is the
caller's last step in the same transaction (``trigger_versions.write``); nothing here does it, and no function here
commits. Configurations of actions come and go sealed (``action_secrets``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agentauri.errors import NotFound
from agentauri.models.breaker import Breaker, BreakerConfig
from agentauri.models.trigger import TriggerFields
from agentauri.store.database import Connection

NOT_FOUND = "this trigger does not exist."

COLUMNS = """t.id, t.organization_id, t.created_by, t.name, t.description, t.chain_id, t.registry, t.enabled,
    t.disabled_reason, t.match_all, t.fire, t.cooldown_seconds, t.is_stateful, t.partition, t.fired_count,
    t.last_fired_at, t.error_count, t.last_error, t.created_at, t.updated_at"""

PARTS = """
    coalesce((
        SELECT json_agg(json_build_object('id', c.id, 'condition_type', c.condition_type, 'field', c.field,
            'operator', c.operator, 'value', c.value, 'config', c.config) ORDER BY c.position)
        FROM trigger_conditions AS c WHERE c.trigger_id = t.id AND c.organization_id = t.organization_id), '[]'),
    coalesce((
        SELECT json_agg(json_build_object('id', a.id, 'action_type', a.action_type, 'priority', a.priority,
            'enabled', a.enabled, 'disabled_by', a.disabled_by, 'disabled_reason', a.disabled_reason,
            'disabled_at', to_char(a.disabled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'config', a.config, 'destination', a.destination, 'lane', a.lane) ORDER BY a.priority, a.created_at, a.id)
        FROM trigger_actions AS a WHERE a.trigger_id = t.id AND a.organization_id = t.organization_id), '[]'),
    (SELECT json_build_object('failure_count', b.failure_count, 'opened_at', extract(epoch FROM b.opened_at),
            'last_failure_at', extract(epoch FROM b.last_failure_at), 'failure_threshold', b.failure_threshold,
            'recovery_timeout_seconds', b.recovery_timeout_seconds, 'half_open_max_calls', b.half_open_max_calls)
        FROM trigger_breakers AS b WHERE b.trigger_id = t.id AND b.organization_id = t.organization_id),
    (SELECT json_build_object('from_seq', s.after_seq + 1, 'from_block', s.first_block, 'position', s.position,
            'until', s.until_seq, 'status', s.status, 'joined_seq', s.joined_seq)
        FROM trigger_starts AS s WHERE s.trigger_id = t.id AND s.organization_id = t.organization_id)"""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger as stored; ``conditions`` in wire form, ``actions`` as rows with sealed configurations."""

    id: UUID
    organization_id: UUID
    created_by: UUID | None
    name: str
    description: str
    chain_id: int | None
    registry: str | None
    enabled: bool
    disabled_reason: str | None
    match_all: bool
    fire: str
    cooldown_seconds: int
    is_stateful: bool
    partition: int
    fired_count: int
    last_fired_at: datetime | None
    error_count: int
    last_error: str | None
    created_at: datetime
    updated_at: datetime
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    breaker: Breaker
    start: dict[str, Any] | None = None
    """Of one that began in the past: where, and how far that is worked off."""


@dataclass(frozen=True, slots=True)
class ActionRow:
    """An action to be stored; ``config`` sealed."""

    id: UUID
    action_type: str
    priority: int
    enabled: bool
    disabled_by: str | None
    disabled_reason: str | None
    config: dict[str, Any]
    destination: str
    lane: str


ACTION_COLUMNS = tuple(column.name for column in fields(ActionRow))


def columns_of(action: ActionRow) -> dict[str, Any]:
    """The row by the names of its columns."""
    return {name: getattr(action, name) for name in ACTION_COLUMNS}


async def get_trigger(connection: Connection, organization_id: UUID, id: UUID) -> Trigger:
    """The trigger. Raises NotFound."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS}, {PARTS} FROM triggers AS t WHERE t.organization_id = $1 AND t.id = $2", organization_id, id
    )
    if row is None:
        raise NotFound(NOT_FOUND)
    return trigger_of(row)


def trigger_of(row: Iterable[Any]) -> Trigger:
    """What COLUMNS and PARTS selected."""
    *columns, breaker, start = row
    return Trigger(*(*columns, Breaker() if breaker is None else _breaker(**breaker), start))


def _breaker(failure_count: int, opened_at: float | None, last_failure_at: float | None, **config: int) -> Breaker:
    return Breaker(failure_count, _moment(opened_at), _moment(last_failure_at), BreakerConfig(**config))


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


async def get_for_change(connection: Connection, organization_id: UUID, id: UUID) -> Trigger:
    """The trigger, locked against other changes to the end of the transaction. Raises NotFound."""
    locked = await connection.fetchval(
        "SELECT id FROM triggers WHERE organization_id = $1 AND id = $2 FOR UPDATE", organization_id, id
    )
    if locked is None:
        raise NotFound(NOT_FOUND)
    return await get_trigger(connection, organization_id, id)


async def update_trigger(connection: Connection, organization_id: UUID, id: UUID, fields: TriggerFields) -> None:
    """Overwrite the trigger's own fields; switching it on forgets why it was off."""
    await connection.execute(
        """UPDATE triggers SET name = $3, description = $4, chain_id = $5, registry = $6, match_all = $8, fire = $9,
               cooldown_seconds = $10, is_stateful = $11, updated_at = now(),
               disabled_reason = CASE WHEN $7 THEN NULL ELSE disabled_reason END,
               error_count = CASE WHEN $7 AND NOT enabled THEN 0 ELSE error_count END,
               last_error = CASE WHEN $7 AND NOT enabled THEN NULL ELSE last_error END,
               enabled = $7
           WHERE organization_id = $1 AND id = $2""",
        organization_id,
        id,
        *values_of(fields),
    )


def values_of(fields: TriggerFields) -> tuple[Any, ...]:
    """What is written of the trigger's own fields, in the order of the statements' parameters."""
    return (
        fields.name,
        fields.description,
        fields.chain_id,
        fields.registry,
        fields.enabled,
        fields.match_all,
        fields.fire,
        fields.cooldown_seconds,
        fields.is_stateful,
    )


async def delete_trigger(connection: Connection, organization_id: UUID, id: UUID) -> None:
    """Delete the trigger with its conditions and actions."""
    await connection.execute("DELETE FROM triggers WHERE organization_id = $1 AND id = $2", organization_id, id)


async def replace_conditions(
    connection: Connection, organization_id: UUID, trigger_id: UUID, conditions: Sequence[dict[str, Any]]
) -> None:
    """Make ``conditions`` (wire form, in order) those of the trigger."""
    await connection.execute(
        "DELETE FROM trigger_conditions WHERE organization_id = $1 AND trigger_id = $2", organization_id, trigger_id
    )
    if not conditions:
        return
    await connection.execute(
        """INSERT INTO trigger_conditions (id, trigger_id, organization_id, position, condition_type, field, operator,
               value, config)
           SELECT r.id, $2, $1, r.position, r.condition_type, r.field, r.operator, r.value, r.config
           FROM jsonb_to_recordset($3) AS r (id uuid, position int, condition_type text, field text, operator text,
               value jsonb, config jsonb)""",
        organization_id,
        trigger_id,
        numbered(conditions),
    )


def numbered(conditions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Conditions with their places."""
    return [{**condition, "position": position} for position, condition in enumerate(conditions)]


async def put_actions(
    connection: Connection, organization_id: UUID, trigger_id: UUID, actions: Sequence[ActionRow]
) -> None:
    """Insert actions, or overwrite those of this trigger that have the same id."""
    if not actions:
        return
    await connection.execute(
        """INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, priority, enabled, disabled_by,
               disabled_reason, config, destination, lane)
           SELECT r.id, $2, $1, r.action_type, r.priority, r.enabled, r.disabled_by, r.disabled_reason, r.config,
               r.destination, r.lane
           FROM jsonb_to_recordset($3) AS r (id uuid, action_type text, priority smallint, enabled boolean,
               disabled_by text, disabled_reason text, config jsonb, destination text, lane text)
           ORDER BY r.id
           ON CONFLICT (id) DO UPDATE SET action_type = excluded.action_type, priority = excluded.priority,
               enabled = excluded.enabled, disabled_by = excluded.disabled_by,
               disabled_reason = excluded.disabled_reason, config = excluded.config,
               destination = excluded.destination, lane = excluded.lane, updated_at = now()
               WHERE trigger_actions.trigger_id = $2 AND trigger_actions.organization_id = $1""",
        organization_id,
        trigger_id,
        [columns_of(action) for action in actions],
    )


async def delete_actions(
    connection: Connection, organization_id: UUID, trigger_id: UUID, action_ids: Sequence[UUID]
) -> None:
    """Delete these actions of the trigger."""
    await connection.execute(
        "DELETE FROM trigger_actions WHERE organization_id = $1 AND trigger_id = $2 AND id = ANY($3::uuid[])",
        organization_id,
        trigger_id,
        list(action_ids),
    )
