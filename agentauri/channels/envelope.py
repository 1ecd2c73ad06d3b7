"""The standard body of a delivery, and the values that templates see.

Both are made from what the evaluator stored with the delivery, so every attempt of a delivery has the same body.
"""

from typing import Any

from agentauri.models.delivery import Claimed, DeliveryType
from agentauri.models.disabling import sentence
from agentauri.models.event import rfc3339


def template_values(delivery: Claimed) -> dict[str, Any]:
    """The event, ``trigger``, ``computed`` and ``delivery``."""
    about = {"id": str(delivery.id), "type": delivery.type.value, "created_at": created_at(delivery)}
    return {**delivery.context, "delivery": about}


def envelope(delivery: Claimed) -> dict[str, Any]:
    """``{type, timestamp, data}`` as in Standard Webhooks; the timestamp is when the trigger fired.

    A retraction names the delivery that it takes back as ``data.delivery_id``; a test says that it is one.
    """
    context = delivery.context
    if delivery.type is DeliveryType.DISABLED:
        return _disabled(delivery)
    about = str(delivery.id)
    if delivery.type is DeliveryType.RETRACTED:
        about = context["first_delivery_id"]
    data = {
        "delivery_id": about,
        "trigger": context["trigger"],
        "event": context["event"],
        "computed": context.get("computed") or {},
    }
    made = {"type": delivery.type.value, "timestamp": created_at(delivery), "data": data}
    return {**made, "test": True} if delivery.is_test else made


def _disabled(delivery: Claimed) -> dict[str, Any]:
    """What a fallback action is told of another one."""
    context = delivery.context
    data = {
        "delivery_id": str(delivery.id),
        "trigger": context["trigger"],
        "action": context["action"],
        "reason": context["reason"],
        "message": sentence(context),
    }
    return {"type": delivery.type.value, "timestamp": created_at(delivery), "data": data}


def created_at(delivery: Claimed) -> str:
    """When the delivery was queued, RFC 3339."""
    return rfc3339(delivery.created_at.timestamp())
