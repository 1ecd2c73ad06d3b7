"""What an action would have sent about a match of a test; nothing is sent or fetched, and no secret is at hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from agentauri.channels.preview import NOBODY, previewer
from agentauri.errors import TemplateError
from agentauri.models.action import MASK, ActionType, destination_of, lane_of, map_secrets, masked
from agentauri.models.delivery import Claimed, DeliveryType, Destination
from agentauri.models.ids import ActionId, EventId, TriggerId, delivery_id

STAND_IN = "0:x"
"""For secrets, which renderings do not show: it has the form of every one."""


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
        return {"action_id": self._id, "action_type": self._kind, "rendered": rendered, "error": error}

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
