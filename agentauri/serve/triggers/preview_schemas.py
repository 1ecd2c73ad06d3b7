"""What previews take and answer."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from agentauri.models.fields import EVENT_TYPE_ALIASES, EVENT_TYPES
from agentauri.models.trigger import MAX_NAME
from agentauri.serve.schemas import EXAMPLE_ID, Body, Schema, Text
from agentauri.serve.triggers.schemas import ActionTypeName, Config, Object

EXAMPLE: dict[str, Any] = {
    "action_type": "telegram",
    "config": {"chat_id": "@channel", "parse_mode": "MarkdownV2", "message_template": "*{{agent_id}}* got {{score}}."},
    "event_type": "NewFeedback",
}


def _canonical(name: object) -> object:
    return EVENT_TYPE_ALIASES.get(name, name) if isinstance(name, str) else name


def _known(name: str) -> str:
    if name not in EVENT_TYPES:
        raise ValueError(f"the event type must be one of: {', '.join(EVENT_TYPES)}.")
    return name


EventTypeName = Annotated[
    str,
    Field(json_schema_extra={"enum": [*EVENT_TYPES, *EVENT_TYPE_ALIASES]}),
    BeforeValidator(_canonical),
    AfterValidator(_known),
]


class PreviewBody(Body):
    """An action as it is written, and what to try it on: an event by its id, a type's sample, else one of each type."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    action_type: ActionTypeName
    config: Config = Field(description="Masked secrets may stand in it.")
    event_type: EventTypeName | None = Field(None, description="The sample event of this type alone.")
    event_id: UUID | None = Field(None, description="An event that happened.", examples=[EXAMPLE_ID])
    trigger_name: Text = Field("Sample trigger", min_length=1, max_length=MAX_NAME)


class Preview(Schema):
    """What would be sent about one event, or why nothing could be."""

    event_type: str
    event_id: UUID
    rendered: Object | None = Field(description="The request or message; null where there would be none.")
    error: str | None = Field(description="Why a delivery about this event would fail.")


class PreviewList(Schema):
    """One for each event."""

    data: list[Preview]
