"""What an action would have sent about a match of a test; nothing is sent or fetched, and no secret is at hand."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from agentauri.channels.preview import NOBODY, previewer
from agentauri.errors import TemplateError
from agentauri.models.action import MASK, ActionType, destination_of, lane_of, map_secrets, masked
from agentauri.models.delivery import Claimed, DeliveryType, Destination
from agentauri.models.ids import ActionId, EventId, TriggerId, delivery_id
from agentauri.serve.answers import encode

STAND_IN = "0:x"
"""For secrets, which renderings do not show: it has the form of every one."""
MOST_BYTES = 2**20
"""Of templates read and results made for one answer: some hundred usual ones, and two seconds of the most hostile."""
LEFT_OUT = "left out, for this answer is large enough; ask about fewer events."


def renderable(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of actions' rows what a rendering needs, without secrets; those that their user disabled are left out."""
    return [
        {"id": str(row["id"]), "action_type": row["action_type"], "config": masked(row["config"])}
        for row in actions
        if row["enabled"] or row["disabled_by"] == "system"
    ]


class Rendering:
    """One action (as ``renderable`` gives it) of a trigger, whose templates are read once."""

    def __init__(self, trigger: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        self._trigger, self._id, self._kind = dict(trigger), UUID(action["id"]), ActionType(action["action_type"])
        self._config = map_secrets(action["config"], lambda secret: STAND_IN if secret == MASK else secret)
        self._render = previewer(self._kind, self._config)

    def of(self, match: Mapping[str, Any]) -> dict[str, Any]:
        """What the action would have sent about a match, or why it could not."""
        rendered: dict[str, Any] | None = None
        error: str | None = None
        try:
            rendered = self._render(self._delivery(match))
        except (TemplateError, ValueError) as failure:
            error = str(failure)
        return _answer(self._id, self._kind, rendered, error)

    def _delivery(self, match: Mapping[str, Any]) -> Claimed:
        event = match["event"]
        moment = datetime.fromisoformat(event["block_timestamp"])
        return Claimed(
            id=delivery_id(TriggerId(UUID(self._trigger["id"])), ActionId(self._id), EventId(UUID(event["id"]))),
            organization_id=NOBODY,
            action_id=self._id,
            type=DeliveryType.FIRED,
            channel=self._kind,
            destination=Destination(
                lane_of(self._kind, self._config), destination_of(NOBODY, self._kind, self._config)
            ),
            attempt=1,
            turn=1,
            lease_token=NOBODY,
            started_at=moment,
            created_at=moment,
            version=moment,
            context={"event": event, "trigger": self._trigger, "computed": match["computed"]},
            config=self._config,
            secrets=(),
        )


class Renderings:
    """All actions of a trigger, for one answer: what goes beyond MOST_BYTES is left out, and says so."""

    def __init__(self, trigger: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> None:
        self._trigger, self._actions = trigger, actions
        self._read: dict[str, Rendering] = {}
        self._left = MOST_BYTES

    async def of(self, match: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What each action would have sent about a match."""
        found = []
        for action in self._actions:
            found.append(self._one(action, match))
            await asyncio.sleep(0)  # other requests are answered meanwhile
        return found

    def _one(self, action: Mapping[str, Any], match: Mapping[str, Any]) -> dict[str, Any]:
        if self._left <= 0:
            return _answer(action["id"], action["action_type"], error=LEFT_OUT)
        rendering = self._read.get(action["id"]) or Rendering(self._trigger, action)
        self._read[action["id"]] = rendering
        found = rendering.of(match)
        self._left -= len(encode(action["config"])) + len(encode(found["rendered"]))
        return found


def _answer(id_: Any, kind: Any, rendered: dict[str, Any] | None = None, error: str | None = None) -> dict[str, Any]:
    return {"action_id": id_, "action_type": kind, "rendered": rendered, "error": error}
