"""What deliveries and their attempts look like."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import Field, WithJsonSchema

from agentauri.models.action import ActionType
from agentauri.models.delivery import DeliveryStatus, DeliveryType, Outcome, StatusCode
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, CursorPagination, Schema

Object = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]

EXAMPLE_DELIVERY = {
    "id": EXAMPLE_ID,
    "organization_id": EXAMPLE_ID,
    "trigger_id": EXAMPLE_ID,
    "action_id": EXAMPLE_ID,
    "event_id": EXAMPLE_ID,
    "event_seq": 1204,
    "type": "trigger.fired",
    "channel": "rest",
    "status": "delivered",
    "status_code": None,
    "status_reason": None,
    "attempt_count": 1,
    "next_attempt_at": None,
    "created_at": EXAMPLE_TIME,
    "updated_at": EXAMPLE_TIME,
    "delivered_at": EXAMPLE_TIME,
}


class Delivery(Schema):
    """One action for one event."""

    id: UUID = Field(description="Also the `webhook-id` that the receiver sees; a repeat has the same one.")
    organization_id: UUID
    trigger_id: UUID
    action_id: UUID
    event_id: UUID
    event_seq: int
    type: DeliveryType
    channel: ActionType
    status: DeliveryStatus
    status_code: StatusCode | None = Field(description="Why it has its status, for programs.")
    status_reason: str | None = Field(description="The same for people.")
    attempt_count: int
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime
    delivered_at: datetime | None


class Attempt(Schema):
    """One try to send it."""

    number: int
    started_at: datetime
    duration_ms: int | None
    outcome: Outcome | None = Field(description="Null while it runs.")
    http_status: int | None
    error_class: str | None
    error_message: str | None
    response_excerpt: str | None
    request: Object | None = Field(description="What was sent, without its secrets.")


class DeliveryDetail(Delivery):
    """A delivery with what it is made from and every attempt."""

    context: Object
    attempts: list[Attempt]


class DeliveryAnswer(Schema):
    """One delivery."""

    data: DeliveryDetail


class DeliveryList(Schema):
    """A page of deliveries, the newest first."""

    data: list[Delivery]
    pagination: CursorPagination


Statuses = Annotated[
    list[DeliveryStatus] | None, Query(alias="status", max_length=8, description="In one of these statuses.")
]
OfTrigger = Annotated[UUID | None, Query(description="Of this trigger alone.")]
OfAction = Annotated[UUID | None, Query(description="Of this action alone.")]
Channel = Annotated[ActionType | None, Query(description="Through this channel alone.")]
