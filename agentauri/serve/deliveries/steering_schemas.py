"""What sending again by a filter takes and answers."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from agentauri.models.delivery import DeliveryStatus, StatusCode
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, Body, Moment, Schema, Text
from agentauri.store.deliveries import REPLAYABLE, REPLAYED_BY_DEFAULT
from agentauri.store.replays import MAX_REPLAYED, ReplayFilter

MAX_ERROR = 255
EXAMPLE_REPLAY: dict[str, Any] = {"trigger_id": EXAMPLE_ID, "from": EXAMPLE_TIME, "error": "connection refused"}


def _replayable(status: DeliveryStatus) -> DeliveryStatus:
    if status not in REPLAYABLE:
        raise ValueError(f"cannot be replayed; {', '.join(REPLAYABLE)} ones can.")
    return status


Replayable = Annotated[
    DeliveryStatus, AfterValidator(_replayable), WithJsonSchema({"enum": [status.value for status in REPLAYABLE]})
]


class ReplayBody(Body):
    """Which deliveries to send again; what is left out does not narrow."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_REPLAY]})

    statuses: list[Replayable] = Field(
        default=list(REPLAYED_BY_DEFAULT),
        min_length=1,
        max_length=len(REPLAYABLE),
        description="Dead ones unless others are named.",
    )
    trigger_id: UUID | None = None
    action_id: UUID | None = None
    since: Moment | None = Field(None, alias="from", description="Made at or after this time.")
    until: Moment | None = Field(None, alias="to", description="Made before this time.")
    status_code: StatusCode | None = Field(None, description="Why they have their status.")
    error: Text | None = Field(None, min_length=1, max_length=MAX_ERROR, description="A part of `status_reason`.")
    limit: int = Field(MAX_REPLAYED, ge=1, le=MAX_REPLAYED, strict=True, description="How many at most, oldest first.")

    def filter(self) -> ReplayFilter:
        """As the store takes it."""
        return ReplayFilter(
            self.statuses, self.trigger_id, self.action_id, self.since, self.until, self.status_code, self.error
        )


class ReplayCount(Schema):
    """What a replay by filter came to."""

    replayed: int = Field(ge=0, le=MAX_REPLAYED)
    has_more: bool = Field(description="More may fit: call again.")


class ReplayAnswer(Schema):
    """How many were queued again."""

    data: ReplayCount
