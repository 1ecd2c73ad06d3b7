"""What asking a trigger about the past looks like on the wire."""

import re
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator, model_validator

from agentauri.models.action import ActionType
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, Body, Moment, Schema
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER, Object, TriggerBody
from agentauri.store.trigger_tests import TrialStatus

MAX_LAST = 10_000_000
MAX_BLOCK = 2**63 - 1
MAX_WAIT_SECONDS = 25
DEFAULT_WAIT_SECONDS = 10
AGO = re.compile(r"([0-9]{1,6})([smhdw])")
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
KINDS = (("event_id",), ("last",), ("from_block", "to_block"), ("from_", "to"))
ONE_OF = "needs exactly one of event_id, last, from_block with to_block, from with to."


class RangeBody(Body):
    """Over which events a trigger is tested: exactly one kind of range. Its state is fresh at the beginning."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"last": "30d"}]})

    event_id: UUID | None = Field(None, description="This event alone.")
    last: int | str | None = Field(
        None,
        union_mode="left_to_right",
        description="The newest so many events, or those of so long a time until now.",
        examples=["30d", 1000],
        json_schema_extra={
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_LAST},
                {"type": "string", "pattern": f"^{AGO.pattern}$"},
                {"type": "null"},
            ]
        },
    )
    from_block: int | None = Field(None, ge=0, le=MAX_BLOCK, strict=True, description="Of the trigger's chain, or any.")
    to_block: int | None = Field(None, ge=0, le=MAX_BLOCK, strict=True, description="This block included.")
    from_: Moment | None = Field(None, alias="from", description="Blocks at or after this time.")
    to: Moment | None = Field(None, description="Blocks before this time.", examples=[EXAMPLE_TIME])
    wait_seconds: float = Field(
        DEFAULT_WAIT_SECONDS, ge=0, le=MAX_WAIT_SECONDS, description="How long to wait for a long test to be done."
    )

    @field_validator("last", mode="before")
    @classmethod
    def _check_last(cls, raw: object) -> object:
        if isinstance(raw, bool) or not isinstance(raw, (int, str, type(None))):
            raise ValueError("must be a number of events, or a time such as 30d.")
        if isinstance(raw, int) and not 1 <= raw <= MAX_LAST:
            raise ValueError(f"must be from 1 to {MAX_LAST} events.")
        if isinstance(raw, str) and (not AGO.fullmatch(raw) or int(raw[:-1]) == 0):
            raise ValueError("must be a time such as 90s, 15m, 12h, 30d or 2w.")
        return raw

    @model_validator(mode="after")
    def _check_kind(self) -> "RangeBody":
        given = [kind for kind in KINDS if any(getattr(self, name) is not None for name in kind)]
        if len(given) != 1:
            raise ValueError(ONE_OF)
        if self.from_block is not None and self.to_block is not None and self.to_block < self.from_block:
            raise ValueError("needs a to_block that is not before from_block.")
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise ValueError("needs a `to` after `from`.")
        return self

    @property
    def last_seconds(self) -> int | None:
        """``last`` where it is a time."""
        if not isinstance(self.last, str):
            return None
        return int(self.last[:-1]) * SECONDS[self.last[-1]]


class NewTriggerTest(RangeBody):
    """A trigger that need not exist, and over which events it is tested."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"trigger": EXAMPLE_TRIGGER, "last": "30d"}]})

    trigger: TriggerBody


class RenderedAction(Schema):
    """What an action would have sent."""

    action_id: UUID
    action_type: ActionType
    rendered: Object | None
    error: str | None = Field(description="Why it could not have been sent.")


class TestMatch(Schema):
    """An event on which the trigger would have fired."""

    event_id: UUID
    event_seq: int
    block_timestamp: datetime
    group: str
    computed: Object = Field(description="By the position of the condition.")
    actions: list[RenderedAction]


class DayFired(Schema):
    """How often it would have fired on a day of block time."""

    day: date
    fired: int


class TriggerTest(Schema):
    """What a trigger would have done. While `status` is running, what was found so far."""

    id: UUID | None = Field(
        description="Of a test that is run apart; null: it was done at once.", examples=[EXAMPLE_ID]
    )
    status: TrialStatus
    error: str | None = Field(description="The trigger's latest error on an event, or why the test failed.")
    total: int = Field(description="Events in the range.")
    evaluated: int
    matched: int
    cooled_down: int
    fired: int
    days: list[DayFired]
    matches: list[TestMatch] = Field(description="The first hundred that fired; `fired` counts all of them.")


class TriggerTestAnswer(Schema):
    """One test."""

    data: TriggerTest


EXAMPLE_PROGRESS: dict[str, Any] = {"status": "running", "total": 1_000_000, "evaluated": 250_000, "fired": 12}
