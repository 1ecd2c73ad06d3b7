"""What a delivery would send, for people to look at: the same rendering as the real thing, and nothing is sent.

Secrets are masked and signatures are left out; times and ids of the delivery itself are made up, and so is the
content of a file, for nothing is fetched.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

import orjson
from yarl import URL

from agentauri.channels import mcp
from agentauri.channels import request as rest
from agentauri.channels.telegram import request as telegram
from agentauri.models.action import ActionType, destination_of, lane_of
from agentauri.models.delivery import Claimed, DeliveryType, Destination
from agentauri.models.event import Event

NOBODY = UUID(int=0)
FILE_CONTENT = "(what the event's file contains)"


def rehearsal(
    action_type: ActionType, config: dict[str, Any], event: Event, *, trigger: str, computed: Mapping[str, Any]
) -> Claimed:
    """A delivery of a checked action about ``event`` that is in no queue; ``trigger`` is the name of its trigger."""
    moment = datetime.fromtimestamp(event.block_timestamp, UTC)
    return Claimed(
        id=uuid5(NOBODY, str(event.id)),
        organization_id=NOBODY,
        action_id=NOBODY,
        type=DeliveryType.FIRED,
        channel=action_type,
        destination=Destination(lane_of(action_type, config), destination_of(NOBODY, action_type, config)),
        attempt=1,
        turn=1,
        lease_token=NOBODY,
        started_at=moment,
        created_at=moment,
        version=moment,
        context={"event": event.public(), "trigger": {"id": str(NOBODY), "name": trigger}, "computed": computed},
        config=config,
        secrets=(),
    )


Render: TypeAlias = Callable[[Claimed], dict[str, Any]]


def previewer(action_type: ActionType, config: dict[str, Any]) -> Render:
    """What makes the request or message of a delivery of this checked action; templates are read once.

    It raises TemplateError or ValueError where the real thing would fail for good.
    """
    return PREVIEWERS[action_type](config)


def _rest(config: dict[str, Any]) -> Render:
    prepared = rest.prepare(config)

    def render(delivery: Claimed) -> dict[str, Any]:
        request = rest.build(delivery, prepared, int(delivery.started_at.timestamp()))
        kept = request.without_secrets()
        return {name: kept[name] for name in ("method", "url", "headers")} | {"body": _body(request.body)}

    return render


def _body(body: bytes) -> Any:
    """The JSON value that a body is, else its text; None where there is none."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return body.decode()


def _telegram(config: dict[str, Any]) -> Render:
    prepared = telegram.prepare(config, "")

    def render(delivery: Claimed) -> dict[str, Any]:
        message, members = telegram.compose(delivery, prepared)
        return {"method": telegram.METHOD, **members, "text_units": message.units, "is_cut": message.is_cut}

    return render


def _mcp(config: dict[str, Any]) -> Render:
    prepared = mcp.prepare(config)
    server = None if prepared.url is None else rest.mask_query(URL(prepared.url, encoded=True))
    content = FILE_CONTENT if prepared.gives_file else None

    def render(delivery: Claimed) -> dict[str, Any]:
        arguments = mcp.render_arguments(delivery, prepared, content)
        return {"method": mcp.METHOD, "server_url": server, "tool_name": prepared.tool, "arguments": arguments}

    return render


PREVIEWERS: Final[Mapping[ActionType, Callable[[dict[str, Any]], Render]]] = {
    ActionType.REST: _rest,
    ActionType.TELEGRAM: _telegram,
    ActionType.MCP: _mcp,
}
