"""What an action would send about an event, for people to look at; nothing is sent or fetched, secrets are masked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from yarl import URL

from agentauri.channels import mcp
from agentauri.channels import request as rest
from agentauri.channels.envelope import envelope, template_values
from agentauri.channels.templates import render_json
from agentauri.errors import TemplateError
from agentauri.models.action import ActionType, destination_of, lane_of, masked
from agentauri.models.delivery import Claimed, DeliveryType, Destination
from agentauri.models.ids import ActionId, EventId, TriggerId, delivery_id
from agentauri.models.template_names import FILE_CONTENT

NOBODY = UUID(int=0)
UNREAD = "(what the event's file contains)"


def renderable(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of actions' rows what a rendering needs, without secrets; those that their user disabled are left out."""
    return [
        {"id": str(row["id"]), "action_type": row["action_type"], "config": masked(row["config"])}
        for row in actions
        if row["enabled"] or row["disabled_by"] == "system"
    ]


def render(trigger: Mapping[str, Any], action: Mapping[str, Any], match: Mapping[str, Any]) -> dict[str, Any]:
    """What an action (as ``renderable`` gives it) would have sent about a match."""
    rendered: dict[str, Any] | None = None
    error: str | None = None
    try:
        rendered = _render(_delivery(trigger, action, match))
    except (TemplateError, ValueError) as failure:
        error = str(failure)
    return {"action_id": action["id"], "action_type": action["action_type"], "rendered": rendered, "error": error}


def _delivery(trigger: Mapping[str, Any], action: Mapping[str, Any], match: Mapping[str, Any]) -> Claimed:
    event, kind, config = match["event"], ActionType(action["action_type"]), action["config"]
    moment = datetime.fromisoformat(event["block_timestamp"])
    return Claimed(
        id=delivery_id(TriggerId(UUID(trigger["id"])), ActionId(UUID(action["id"])), EventId(UUID(event["id"]))),
        organization_id=NOBODY,
        action_id=UUID(action["id"]),
        type=DeliveryType.FIRED,
        channel=kind,
        destination=Destination(lane_of(kind, config), destination_of(NOBODY, kind, config)),
        attempt=1,
        turn=1,
        lease_token=NOBODY,
        started_at=moment,
        created_at=moment,
        version=moment,
        context={"event": event, "trigger": dict(trigger), "computed": match["computed"]},
        config=config,
        secrets=(),
    )


def _render(delivery: Claimed) -> dict[str, Any]:
    match delivery.channel:
        case ActionType.REST:
            request = rest.build(delivery, rest.prepare(delivery.config), int(delivery.started_at.timestamp()))
            kept = request.without_secrets()
            return {name: kept[name] for name in ("method", "url", "headers")} | {"body": _body(request.body)}
        case ActionType.MCP:
            return _tool_call(delivery)
    raise ValueError(f"{delivery.channel} actions cannot be shown in this version.")


def _tool_call(delivery: Claimed) -> dict[str, Any]:
    prepared = mcp.prepare(delivery.config)
    values = {**template_values(delivery), FILE_CONTENT: UNREAD if prepared.gives_file else None}
    arguments = envelope(delivery) if prepared.arguments is None else render_json(prepared.arguments, values)
    server = None if prepared.url is None else rest.mask_query(URL(prepared.url, encoded=True))
    return {"method": "tools/call", "server_url": server, "tool_name": prepared.tool, "arguments": arguments}


def _body(body: bytes) -> Any:
    """The JSON value that a body is, else its text; None where there is none."""
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return body.decode()
