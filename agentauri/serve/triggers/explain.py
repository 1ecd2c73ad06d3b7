"""Explaining what a trigger did with an event: each condition, what it compared, its state, and what came of it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from agentauri.accounts.roles import Principal
from agentauri.engine.explain import Change, Explained, Explanation, Result, explain
from agentauri.engine.legible import legible_mark, legible_state
from agentauri.models.condition import ConditionType
from agentauri.models.delivery import DeliveryStatus, DeliveryType, StatusCode
from agentauri.models.trigger import TriggerDefinition
from agentauri.models.values import wire_scalar
from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.context import Context, In
from agentauri.serve.reading import Route
from agentauri.serve.schemas import EXAMPLE_ID, Id, Schema
from agentauri.serve.triggers.past import Past, Place, find_past
from agentauri.serve.triggers.routes import ReaderOf
from agentauri.serve.triggers.schemas import Object
from agentauri.store import deliveries, event_reads, log, triggers

router = APIRouter(prefix=f"{API}/triggers", tags=["triggers"], route_class=Route)
EventId = Annotated[UUID, Query(description="The event that is asked about.", examples=[EXAMPLE_ID])]
WAS_OFF = "The trigger was disabled at the event's place in the log."


class ExplainedCondition(Schema):
    """A condition, and what it made of the event."""

    id: UUID
    condition_type: ConditionType
    field: str | None
    operator: str | None
    value: Any
    config: Object
    holds: bool | None = Field(description="Null: it was not compared, or what it depends on is not kept any more.")
    actual: Any = Field(description="What the event has where the condition looks; null where it has nothing.")
    error: str | None = Field(
        description="What an expression came to instead of true or false, and does not hold for; else null.",
        examples=["the event has no score."],
    )
    computed: Object | None = Field(description="What it compared, where earlier events count: `ema`, `count`, …")
    state_before: Object | None = Field(
        description="What it remembered of the group before the event, as `GET …/state` tells it; null: nothing."
    )
    state_after: Object | None
    conditions: list["ExplainedCondition"] = Field(description="The parts of a group.")


class Memory(Schema):
    """A block time that the trigger itself remembered of the group before and after the event; null: none."""

    before: datetime | None
    after: datetime | None


class DeliveryOfEvent(Schema):
    """A delivery that the event led to."""

    id: UUID
    action_id: UUID
    type: DeliveryType
    status: DeliveryStatus
    status_code: StatusCode | None
    status_reason: str | None


class ExplanationOfEvent(Schema):
    """What a trigger did with an event."""

    event_id: UUID
    event_seq: int
    retracted: bool = Field(description="A reorganisation took the event back.")
    version_seq: int | None = Field(description="The version that the trigger had at the event's place in the log.")
    result: Result
    reason: str
    group: str | None = Field(description="Whose state counted; null where the event lacks a field of the group.")
    conditions: list[ExplainedCondition]
    on_change: Memory | None
    cooldown: Memory | None
    deliveries: list[DeliveryOfEvent]


class ExplanationAnswer(Schema):
    """One explanation."""

    data: ExplanationOfEvent


@router.get("/{trigger_id}/explain", operation_id="explain_trigger", response_model=ExplanationAnswer)
async def explain_trigger(context: In, principal: ReaderOf, trigger_id: Id, event_id: EventId) -> Response:
    """Why the trigger fired on an event, or why not, in the version that it had at the event's place in the log.

    State is worked out anew from a snapshot or the trigger's beginning. Where the events or versions that it depends
    on are not kept any more, `result` is `unknown` and `reason` says so; what the event alone decides is still told.
    """
    async with context.searches:
        return one(await _explain(context, principal, trigger_id, event_id))


async def _explain(context: Context, principal: Principal, trigger_id: UUID, event_id: UUID) -> dict[str, Any]:
    organization_id = principal.organization_id
    async with context.pool.acquire() as connection:
        await triggers.get_trigger(connection, organization_id, trigger_id)
        found = await event_reads.get_event(connection, event_id)
        event, is_retracted = found.event, found.retracted_at is not None
        # What was taken back is explained as it was met, all else as the chain has it now.
        at = event.seq if is_retracted else await log.head(connection)
        past = await find_past(connection, organization_id, trigger_id, Place(event.seq - 1, at, event))
        made = await deliveries.list_of_event(connection, organization_id, trigger_id, event_id)
    explanation = _explanation(past, found)
    return {
        "event_id": event_id,
        "event_seq": event.seq,
        "retracted": is_retracted,
        "version_seq": None if past.version is None else past.version.from_seq,
        "result": explanation.result,
        "reason": explanation.reason,
        "group": explanation.group,
        "conditions": [_condition(part) for part in explanation.conditions],
        "on_change": _memory(explanation.on_change),
        "cooldown": _memory(explanation.cooldown),
        "deliveries": made,
    }


def _explanation(past: Past, found: event_reads.Found) -> Explanation:
    if past.version is None:
        return Explanation(Result.UNKNOWN, past.missing or "", None, ())
    if past.version.definition is None:
        return Explanation(Result.OFF, WAS_OFF, None, ())
    definition = TriggerDefinition.from_json(past.version.definition)
    explanation = explain(definition, found.event, past.state)
    if explanation.result is Result.UNKNOWN and past.missing:
        return Explanation(Result.UNKNOWN, past.missing, explanation.group, explanation.conditions)
    return explanation


def _condition(part: Explained) -> dict[str, Any]:
    return {
        **part.condition.wire(),
        "holds": part.holds,
        "actual": _shown(part.actual),
        "error": part.error,
        "computed": part.computed,
        "state_before": legible_state(part.condition, part.before),
        "state_after": legible_state(part.condition, part.after),
        "conditions": [_condition(inner) for inner in part.parts],
    }


def _memory(change: Change | None) -> dict[str, Any] | None:
    return None if change is None else {
        "before": legible_mark(change.before), "after": legible_mark(change.after),
    }  # fmt: skip


def _shown(value: Any) -> Any:
    """Exact numbers as JSON carries them."""
    is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    return wire_scalar(None, value) if is_number else value
