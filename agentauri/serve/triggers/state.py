"""What a trigger remembers now, by group; and forgetting it.

The state is that at the place in the log that the evaluator has reached, worked out as the evaluator would after a
restart: from a snapshot, with what came after it. A reset is a pair of versions in the log, off and on again, so it
happens at one place for everybody: in replays, after crashes, and in explanations too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from agentauri.accounts.roles import Principal
from agentauri.engine.legible import legible_mark, legible_state
from agentauri.engine.plan import is_watch, slot_names
from agentauri.errors import Unavailable
from agentauri.models.condition import ConditionType
from agentauri.models.trigger import TriggerDefinition
from agentauri.serve import API
from agentauri.serve.answers import Json, one
from agentauri.serve.caller import Client, note
from agentauri.serve.context import Context, In
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset, Pagination, Schema, Text
from agentauri.serve.triggers import service, starting
from agentauri.serve.triggers.past import Place, find_past
from agentauri.serve.triggers.routes import ReaderOf, WriterOf
from agentauri.serve.triggers.schemas import Object
from agentauri.store import partitions, trigger_versions, triggers

MAX_GROUP = 4_096

router = APIRouter(prefix=f"{API}/triggers/{{trigger_id}}/state", tags=["triggers"], route_class=Route)
OfGroup = Annotated[Text | None, Query(max_length=MAX_GROUP, description="Of this group alone, as an answer names it.")]


class ConditionState(Schema):
    """What one condition remembers of a group."""

    condition_id: str
    condition_type: ConditionType
    state: Object | None = Field(
        description="By the condition's type: `ema` with `samples`; `count`, or `aggregate` with `samples`, and the "
        "block times of the `oldest` and the `newest`; `previous`; `since` when nothing came, after which `event_id`, "
        "and whether that was `told`. Null: nothing.",
        examples=[{"ema": 70.0, "samples": 2}],
    )


class GroupState(Schema):
    """What is remembered of one group."""

    group: str = Field(description="The value of the field that state is grouped by.", examples=["42"])
    chain_id: int | None = Field(description="Of an absence, which every chain has its own of; else null.")
    conditions: list[ConditionState]
    on_change: datetime | None = Field(
        description="Block time since which the conditions hold; null: they do not, or nobody asks."
    )
    cooldown: datetime | None = Field(description="Block time of the firing that silences others; null: there is none.")


class AsOf(Schema):
    """The place in the log that the state is that of."""

    seq: int
    version_seq: int | None = Field(
        description="Null: the trigger is off there, or not made yet, and remembers nothing."
    )


class StateList(Schema):
    """A page of groups."""

    data: list[GroupState]
    pagination: Pagination
    as_of: AsOf


class Reset(Schema):
    """Where in the log the state began afresh; null: the trigger is off, and has none until it is switched on."""

    seq: int | None


class ResetAnswer(Schema):
    """What a reset did."""

    data: Reset


@router.get("", operation_id="get_trigger_state", response_model=StateList, responses=errors(503))
async def get_trigger_state(
    context: In,
    principal: ReaderOf,
    trigger_id: Id,
    group: OfGroup = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Response:
    """What the trigger remembers, by group, in the order of the groups' names.

    `as_of` names the place in the log: later events are not in it yet.
    """
    async with context.searches:
        as_of, definition, groups = await _find(context, principal, trigger_id)
    if group is not None:
        groups = [one for one in groups if one.group == group]
    page = groups[offset : offset + limit]
    more = offset + len(page) < len(groups)
    pagination = {"total": len(groups), "limit": limit, "offset": offset, "has_more": more}
    told = [] if definition is None else [_told(definition, one) for one in page]
    return Json({"data": told, "pagination": pagination, "as_of": as_of})


class Kept(NamedTuple):
    """What is kept of a group, by slot. ``chain``: of an absence, else empty."""

    group: str
    chain: str
    slots: dict[str, Any]


async def _find(
    context: Context, principal: Principal, trigger_id: UUID
) -> tuple[dict[str, Any], TriggerDefinition | None, list[Kept]]:
    async with context.pool.acquire() as connection:
        stored = await triggers.get_trigger(connection, principal.organization_id, trigger_id)
        reached = (await partitions.progress(connection))[stored.partition]
        past = await find_past(connection, principal.organization_id, trigger_id, Place(reached, at=reached))
    version = past.version
    if version is None or version.definition is None:
        return {"seq": reached, "version_seq": None}, None, []
    if past.state is None:
        raise Unavailable(f"the state cannot be told now: {past.missing}")
    definition = TriggerDefinition.from_json(version.definition)
    return {"seq": reached, "version_seq": version.from_seq}, definition, _groups(definition, past.state)


def _groups(definition: TriggerDefinition, state: Mapping[str, Any]) -> list[Kept]:
    found: dict[str, Kept] = {}
    for key, value in state.items():
        _, name, group = key.split(":", 2)
        if group not in found:
            chain, _, own = group.partition(":") if is_watch(definition) else ("", "", group)
            found[group] = Kept(own, chain, {})
        found[group].slots[name] = value
    return sorted(found.values(), key=_by_number)


def _by_number(kept: Kept) -> tuple[int, str, int, str]:
    """Groups that are numbers in the order of numbers, those that are not after them; then chains."""
    return len(kept.group) if kept.group.isdigit() else MAX_GROUP, kept.group, len(kept.chain), kept.chain


def _told(definition: TriggerDefinition, kept: Kept) -> dict[str, Any]:
    names = slot_names(definition)
    stateful = [condition for condition in definition.conditions if condition.is_stateful]
    return {
        "group": kept.group,
        "chain_id": int(kept.chain) if kept.chain else None,
        "conditions": [
            {
                "condition_id": str(condition.id),
                "condition_type": condition.type,
                "state": legible_state(condition, kept.slots.get(name)),
            }
            for condition, name in zip(stateful, names.parts, strict=True)
        ],
        "on_change": legible_mark(kept.slots.get(names.held)) if names.held else None,
        "cooldown": legible_mark(kept.slots.get(names.cooled)) if names.cooled else None,
    }


@router.post("/reset", operation_id="reset_trigger_state", response_model=ResetAnswer, responses=errors(409))
async def reset_trigger_state(context: In, principal: WriterOf, client: Anonymous, trigger_id: Id) -> Response:
    """Let the trigger forget what it remembers, its cool-downs too; events that come after this begin its state afresh.

    Events before its place in the log are evaluated with the state that they had.
    """
    return one({"seq": await _reset(context, principal, client, trigger_id)})


async def _reset(context: Context, principal: Principal, client: Client, trigger_id: UUID) -> int | None:
    """One transaction, its versions last (P2)."""
    async with context.pool.acquire() as connection, connection.transaction():
        stored = await triggers.get_for_change(connection, principal.organization_id, trigger_id)
        await note(connection, principal, client, "trigger.state_reset", f"trigger:{trigger_id}")
        if not stored.enabled:
            return None
        await starting.before_version(connection, stored, enabled=True)
        await trigger_versions.write(
            connection,
            trigger_id=trigger_id,
            organization_id=principal.organization_id,
            partition=stored.partition,
            definition=None,
        )
        return await service.write_version(connection, stored, service.fields_of(stored))
