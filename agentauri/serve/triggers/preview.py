"""Trying an action out on sample events, or on one that happened, before anything is stored or sent."""

import re
from typing import Annotated, Any

import orjson
from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.channels.preview import Render, previewer, rehearsal
from agentauri.errors import InvalidRequest, TemplateError
from agentauri.models.action import MASK, ActionSpec, map_secrets, parse_action
from agentauri.models.delivery import Claimed
from agentauri.models.event import Event
from agentauri.models.fields import EVENT_TYPES
from agentauri.models.samples import COMPUTED, sample_event
from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.context import Context, In
from agentauri.serve.principal import require
from agentauri.serve.reading import Route
from agentauri.serve.triggers.preview_schemas import PreviewBody, PreviewList
from agentauri.store.event_reads import get_event

router = APIRouter(prefix=f"{API}/triggers", tags=["triggers"], route_class=Route)
Reader = Annotated[Principal, require(Scope.TRIGGERS_READ)]
NAMED = re.compile(rb"computed\.([0-9]{1,3})\b")
STAND_IN = "0:x"
"""For secrets that came masked: a preview shows none, so any value does that has the form of every one."""
TWICE = "either event_type or event_id can be given."


@router.post("/preview", operation_id="preview_action", response_model=PreviewList)
async def preview_action(context: In, principal: Reader, body: PreviewBody) -> Response:
    """What an action would send, rendered about a sample event of each type, or about one event. Sends nothing."""
    if body.event_type is not None and body.event_id is not None:
        raise InvalidRequest(TWICE, [("/event_id", TWICE)])
    spec = _parse(body)
    computed = dict.fromkeys(_indexes(spec.config), COMPUTED)
    found = await _events(context, body)
    render = previewer(spec.action_type, spec.config)
    deliveries = [
        rehearsal(spec.action_type, spec.config, event, trigger=body.trigger_name, computed=computed) for event in found
    ]
    return one([_rendered(render, delivery, event) for delivery, event in zip(deliveries, found, strict=True)])


def _parse(body: PreviewBody) -> ActionSpec:
    """The checked action. Raises InvalidRequest with every problem."""
    config = map_secrets(body.config, lambda secret: STAND_IN if secret == MASK else secret)
    return parse_action({"action_type": body.action_type, "config": config})


def _indexes(config: dict[str, Any]) -> set[str]:
    """The conditions whose computed values a template names, and the first one, for those that name none."""
    return {"0", *(number.decode() for number in NAMED.findall(orjson.dumps(config)))}


async def _events(context: Context, body: PreviewBody) -> list[Event]:
    if body.event_id is not None:
        async with context.pool.acquire() as connection:
            return [(await get_event(connection, body.event_id)).event]
    return [sample_event(name) for name in ((body.event_type,) if body.event_type else EVENT_TYPES)]


def _rendered(render: Render, delivery: Claimed, event: Event) -> dict[str, Any]:
    rendered: dict[str, Any] | None = None
    error: str | None = None
    try:
        rendered = render(delivery)
    except (TemplateError, ValueError) as failure:
        error = str(failure)
    return {"event_type": event.event_type, "event_id": event.id, "rendered": rendered, "error": error}
