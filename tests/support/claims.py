"""A claimed delivery without a database, for tests of channels."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.models.action import ActionType, parse_action
from agentauri.models.delivery import Claimed, DeliveryType, Destination
from tests.support.queue import EVENT

SECRET = "whsec_" + "A" * 43 + "="
CREATED_AT = datetime(2026, 11, 23, 8, 0, 1, tzinfo=UTC)
FIRST_ID = UUID(int=5)


def claimed(url: str, *, type: DeliveryType = DeliveryType.FIRED, event: Any = None, **config: Any) -> Claimed:
    """A delivery of a ``rest`` action with this configuration."""
    return claimed_of(ActionType.REST, type=type, event=event, url=url, **config)


def claimed_of(
    action_type: ActionType, *, type: DeliveryType = DeliveryType.FIRED, event: Any = None, **config: Any
) -> Claimed:
    """A delivery of an action with this configuration."""
    context = {
        "event": event or EVENT,
        "trigger": {"id": "t-1", "name": "Low score"},
        "computed": {"1": {"ema": 61.5}},
    }
    if type is DeliveryType.RETRACTED:
        context["first_delivery_id"] = str(FIRST_ID)
    return Claimed(
        id=uuid4(),
        organization_id=UUID(int=1),
        action_id=uuid4(),
        type=type,
        channel=action_type,
        destination=Destination("host:x", "x"),
        attempt=1,
        turn=1,
        lease_token=uuid4(),
        started_at=CREATED_AT,
        created_at=CREATED_AT,
        version=CREATED_AT,
        context=context,
        config=parse_action({"action_type": action_type.value, "config": config}).config,
        secrets=(SECRET,),
    )
