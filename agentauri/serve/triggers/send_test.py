"""``send-test``: a sample event to an action's receiver now, and how that ended."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import Field

from agentauri.accounts.roles import Principal
from agentauri.errors import Conflict, NotFound, StoreError
from agentauri.models.action import ActionType
from agentauri.models.delivery import Attempt, Claimed, DeliveryType, Destination, Outcome
from agentauri.models.event import Registry
from agentauri.models.rest_action import DEFAULT_TIMEOUT_SECONDS
from agentauri.models.samples import sample_event
from agentauri.serve.context import Context
from agentauri.serve.schemas import EXAMPLE_ID, Schema
from agentauri.store import triggers, webhook_secrets
from agentauri.store.action_secrets import open_config
from agentauri.store.triggers import Trigger

PAUSED = "the organization is paused and sends nothing; resume it first."
UNREADABLE = "a stored secret of this action cannot be opened; send it again in a change of the action."
SAMPLES = {
    Registry.IDENTITY: "Registered",
    Registry.REPUTATION: "NewFeedback",
    Registry.VALIDATION: "ValidationResponse",
}
"""The type of the sample for a trigger's registry."""
Object = dict[str, Any]


class TestSend(Schema):
    """How a test ended. Nothing of it is kept."""

    __test__ = False

    delivery_id: UUID = Field(description="What the receiver found in `webhook-id`.", examples=[EXAMPLE_ID])
    outcome: Outcome = Field(description="`success`: the receiver took it.", examples=["success"])
    duration_ms: int = Field(ge=0, examples=[23])
    http_status: int | None = Field(examples=[200])
    error_class: str | None
    error_message: str | None = Field(description="What went wrong, for people.")
    response_excerpt: str | None = Field(description="The beginning of the receiver's answer.", examples=["ok"])
    request: Object | None = Field(description="What was sent, without its secrets.")
    event: Object = Field(description="The sample event that it was made from.")


class TestSendAnswer(Schema):
    """How a test ended."""

    __test__ = False

    data: TestSend


async def send(context: Context, principal: Principal, trigger_id: UUID, action_id: UUID) -> Object:
    """Send the sample and tell how it ended. Raises NotFound, Conflict or RateLimited."""
    if principal.paused:
        raise Conflict(PAUSED)
    delivery = await _prepare(context, principal.organization_id, trigger_id, action_id)
    timeout = float(delivery.config.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS))
    return _shown(delivery, await context.trials.send(delivery, timeout))


async def _prepare(context: Context, organization_id: UUID, trigger_id: UUID, action_id: UUID) -> Claimed:
    """The sample as a deliverer would be handed it. Raises NotFound, and Conflict where a secret does not open."""
    async with context.pool.acquire() as connection:
        trigger = await triggers.get_trigger(connection, organization_id, trigger_id)
        sealed = await webhook_secrets.list_sealed(connection, organization_id)
    action = next((one for one in trigger.actions if one["id"] == str(action_id)), None)
    if action is None:
        raise NotFound("this action does not exist.")
    now = datetime.now(UTC)
    try:
        config = open_config(context.vault, action_id, action["config"])
        seal = webhook_secrets.context_of(organization_id)
        secrets = tuple(context.vault.open(one, seal).decode() for one in sealed)
    except (StoreError, ValueError) as error:
        raise Conflict(UNREADABLE) from error
    return Claimed(
        id=uuid4(),
        organization_id=organization_id,
        action_id=action_id,
        type=DeliveryType.FIRED,
        channel=ActionType(action["action_type"]),
        destination=Destination(action["lane"], action["destination"]),
        attempt=1,
        turn=1,
        lease_token=uuid4(),
        started_at=now,
        created_at=now,
        version=now,
        context=_context_of(trigger),
        config=config,
        secrets=secrets,
        is_test=True,
    )


def _context_of(trigger: Trigger) -> Object:
    registry = Registry.REPUTATION if trigger.registry is None else Registry(trigger.registry)
    event = sample_event(SAMPLES[registry]).public()
    event["chain_id"] = trigger.chain_id or event["chain_id"]
    return {"event": event, "trigger": {"id": str(trigger.id), "name": trigger.name}, "computed": {}}


def _shown(delivery: Claimed, attempt: Attempt) -> Object:
    return {
        "delivery_id": delivery.id,
        "outcome": attempt.outcome,
        "duration_ms": round(attempt.duration_seconds * 1000),
        "http_status": attempt.http_status,
        "error_class": attempt.error_class,
        "error_message": attempt.error_message,
        "response_excerpt": attempt.response_excerpt,
        "request": attempt.request,
        "event": delivery.context["event"],
    }
