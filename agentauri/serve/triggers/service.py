"""Creating, changing and deleting triggers: each is one transaction whose last step is the version in the log (P7).

A crash before the commit leaves nothing; after it, the change holds from its own place in the log on. The version
comes last because it takes the log's lock (P2). Two changes of one trigger follow each other: the row is locked.
"""

from typing import Any
from uuid import UUID, uuid4

from agentauri.accounts.roles import Principal
from agentauri.engine.shard import partition_of
from agentauri.models.start import parse_start
from agentauri.models.trigger import TriggerDefinition, TriggerFields, validate_trigger
from agentauri.serve.caller import Client, note
from agentauri.serve.context import Context
from agentauri.serve.plan_limits import check_limits
from agentauri.serve.triggers import starting
from agentauri.serve.triggers.actions import Plan, plan_actions, ref_of
from agentauri.serve.triggers.answer import FIELDS, public
from agentauri.store import breakers, deliveries, new_triggers, trigger_versions, triggers
from agentauri.store.database import Connection
from agentauri.store.limits import Countable
from agentauri.store.new_triggers import NewTrigger
from agentauri.store.triggers import Trigger


async def create(
    context: Context, connection: Connection, principal: Principal, sent: dict[str, Any]
) -> dict[str, Any]:
    """Store a trigger with its parts, its past to be worked off. Raises InvalidRequest with every problem found."""
    fields = validate_trigger({**sent, "conditions": [_without_id(one) for one in sent.get("conditions", [])]})
    place = parse_start(sent.get("start"), fields)
    organization_id, id_ = principal.organization_id, uuid4()
    plan = plan_actions(context.vault, organization_id, sent.get("actions", []), [])
    stored = await new_triggers.insert(
        connection,
        NewTrigger(id_, organization_id, principal.user_id, partition_of(id_), fields, _wire(fields), plan.rows),
    )
    added = {Countable.TRIGGERS: 1, Countable.ACTIONS: len(plan.rows)}
    await check_limits(context, connection, organization_id, added)
    if place is None:
        await write_version(connection, stored, fields)
        return public(stored)
    await starting.begin(connection, stored, _definition(stored, fields), place)
    return public(await triggers.get_trigger(connection, organization_id, id_))


async def change(
    context: Context, principal: Principal, client: Client, id_: UUID, sent: dict[str, Any]
) -> dict[str, Any]:
    """Change the fields that were sent; nothing sent changes nothing. Raises NotFound or InvalidRequest."""
    async with context.pool.acquire() as connection, connection.transaction():
        old = await triggers.get_for_change(connection, principal.organization_id, id_)
        if not sent:
            return public(old)
        await note_change(connection, principal, client, id_, sent)
        return public(await apply_change(context, connection, old, sent))


async def set_enabled(
    context: Context, principal: Principal, client: Client, id_: UUID, enabled: bool
) -> dict[str, Any]:
    """Switch a trigger; one that is as asked stays untouched, its state too. Raises NotFound."""
    async with context.pool.acquire() as connection, connection.transaction():
        old = await triggers.get_for_change(connection, principal.organization_id, id_)
        if old.enabled == enabled:
            return public(old)
        sent = {"enabled": enabled}
        await note_change(connection, principal, client, id_, sent)
        return public(await apply_change(context, connection, old, sent))


async def note_change(
    connection: Connection, principal: Principal, client: Client, id_: UUID, sent: dict[str, Any]
) -> None:
    """Write into the audit log which fields were sent; before the change, whose last step takes the log's lock."""
    if sent.keys() == {"enabled"}:
        verb, details = "enabled" if sent["enabled"] else "disabled", None
    else:
        verb, details = "changed", {"fields": sorted(sent)}
    await note(connection, principal, client, f"trigger.{verb}", f"trigger:{id_}", details)


async def apply_change(context: Context, connection: Connection, old: Trigger, sent: dict[str, Any]) -> Trigger:
    """The steps of every change, within its transaction, the version last. Raises InvalidRequest or Conflict."""
    organization_id, id_ = old.organization_id, old.id
    if "conditions" in sent:
        own = {one["id"] for one in old.conditions}
        sent["conditions"] = [one if one.get("id") in own else _without_id(one) for one in sent["conditions"]]
    fields = validate_trigger(sent, fields_of(old))
    await starting.before_version(connection, old, enabled=fields.enabled)
    await triggers.update_trigger(connection, organization_id, id_, fields)
    if "conditions" in sent:
        await triggers.replace_conditions(connection, organization_id, id_, _wire(fields))
    if "actions" in sent:
        plan = plan_actions(context.vault, organization_id, sent["actions"], old.actions)
        await _put_actions(connection, organization_id, id_, plan)
        added = {Countable.ACTIONS: len(plan.rows) - len(old.actions)}
        await check_limits(context, connection, organization_id, added)
    stored = await triggers.get_trigger(connection, organization_id, id_)
    await write_version(connection, stored, fields)
    return stored


async def delete(context: Context, principal: Principal, client: Client, id_: UUID) -> None:
    """Delete a trigger and cancel what it has not delivered. Raises NotFound."""
    organization_id = principal.organization_id
    async with context.pool.acquire() as connection, connection.transaction():
        old = await triggers.get_for_change(connection, organization_id, id_)
        await triggers.delete_trigger(connection, organization_id, id_)
        told = {"name": old.name, "created_by": old.created_by and str(old.created_by)}
        await note(connection, principal, client, "trigger.deleted", f"trigger:{id_}", told)
        gone = [UUID(one["id"]) for one in old.actions]
        await deliveries.cancel_of_actions(connection, organization_id, gone)
        await breakers.delete(connection, organization_id, id_)
        await trigger_versions.write(
            connection, trigger_id=id_, organization_id=organization_id, partition=old.partition, definition=None
        )


async def get(context: Context, principal: Principal, id_: UUID) -> dict[str, Any]:
    """One trigger. Raises NotFound."""
    async with context.pool.acquire() as connection:
        return public(await triggers.get_trigger(connection, principal.organization_id, id_))


async def _put_actions(connection: Connection, organization_id: UUID, id_: UUID, plan: Plan) -> None:
    await triggers.delete_actions(connection, organization_id, id_, plan.gone)
    await triggers.put_actions(connection, organization_id, id_, plan.rows)
    await deliveries.cancel_of_actions(connection, organization_id, plan.gone)
    for action_id in plan.moved:
        await deliveries.move_to_new_place(connection, organization_id, action_id)
    for action_id in plan.enabled_again:
        await deliveries.release_held(connection, organization_id, action_id)


async def write_version(connection: Connection, stored: Trigger, fields: TriggerFields) -> int:
    """Say in the log what the trigger is from here on; last in its transaction. Returns the place.

    Of a trigger that may have a past, after ``starting.before_version``.
    """
    return await trigger_versions.write(
        connection,
        trigger_id=stored.id,
        organization_id=stored.organization_id,
        partition=stored.partition,
        definition=_definition(stored, fields) if fields.enabled else None,
    )


def _definition(stored: Trigger, fields: TriggerFields) -> TriggerDefinition:
    refs = [ref_of(action) for action in stored.actions]
    return TriggerDefinition.of(stored.id, stored.organization_id, fields, refs)


def _without_id(condition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in condition.items() if key != "id"}


def _wire(fields: TriggerFields) -> list[dict[str, Any]]:
    return [condition.wire() for condition in fields.conditions]


def fields_of(stored: Trigger) -> TriggerFields:
    """The checked fields of a stored trigger."""
    return validate_trigger({name: getattr(stored, name) for name in (*FIELDS, "conditions")})
