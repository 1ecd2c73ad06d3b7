"""Inserting a trigger with its conditions and actions: one statement, which also says how it is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentauri.models.breaker import Breaker
from agentauri.models.trigger import TriggerFields
from agentauri.store.database import Connection
from agentauri.store.triggers import COLUMNS, ActionRow, Trigger, columns_of, numbered, values_of

INSERT_SQL = f"""
    WITH t AS (
        INSERT INTO triggers (id, organization_id, created_by, partition, name, description, chain_id, registry,
            enabled, match_all, fire, cooldown_seconds, is_stateful)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING *),
    c AS (
        INSERT INTO trigger_conditions (id, trigger_id, organization_id, position, condition_type, field, operator,
            value, config)
        SELECT r.id, $1, $2, r.position, r.condition_type, r.field, r.operator, r.value, r.config
        FROM jsonb_to_recordset($14) AS r (id uuid, position int, condition_type text, field text, operator text,
            value jsonb, config jsonb)),
    a AS (
        INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, priority, enabled, disabled_by,
            disabled_reason, config, destination, lane)
        SELECT r.id, $1, $2, r.action_type, r.priority, r.enabled, r.disabled_by, r.disabled_reason, r.config,
            r.destination, r.lane
        FROM jsonb_to_recordset($15) AS r (id uuid, action_type text, priority smallint, enabled boolean,
            disabled_by text, disabled_reason text, config jsonb, destination text, lane text)
        RETURNING id, disabled_at)
    SELECT {COLUMNS}, (SELECT json_object_agg(a.id, to_char(a.disabled_at AT TIME ZONE 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS"Z"')) FROM a WHERE a.disabled_at IS NOT NULL)
    FROM t"""


@dataclass(frozen=True, slots=True)
class NewTrigger:
    """What is to be stored; ``conditions`` in wire form, in their order."""

    id: UUID
    organization_id: UUID
    created_by: UUID | None
    partition: int
    fields: TriggerFields
    conditions: Sequence[dict[str, Any]]
    actions: Sequence[ActionRow]


async def insert(connection: Connection, new: NewTrigger) -> Trigger:
    """Store the trigger; returns it as it is read from now on."""
    actions = [columns_of(action) for action in new.actions]
    row = await connection.fetchrow(
        INSERT_SQL,
        new.id,
        new.organization_id,
        new.created_by,
        new.partition,
        *values_of(new.fields),
        numbered(new.conditions),
        actions,
    )
    assert row is not None
    *columns, disabled = row
    return Trigger(*(*columns, list(new.conditions), _actions(actions, disabled or {}), Breaker()))


def _actions(rows: Sequence[dict[str, Any]], disabled: Mapping[str, str]) -> list[dict[str, Any]]:
    """The actions as they are read, in the order of reading; they were all made at one time."""
    read = [{**row, "id": str(row["id"]), "disabled_at": disabled.get(str(row["id"]))} for row in rows]
    return sorted(read, key=lambda row: (row["priority"], row["id"]))
