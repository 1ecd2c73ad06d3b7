"""What triggers look like on the wire. The rules behind the fields are checked in ``models/``; here they are shown."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from agentauri.engine.narrow import CostClass
from agentauri.models.action import CHECKS, MAX_ACTIONS, MAX_PRIORITY
from agentauri.models.condition import MAX_CONDITIONS, ConditionType
from agentauri.models.event import Registry
from agentauri.models.start import MAX_PLACE
from agentauri.models.trigger import MAX_CHAIN_ID, MAX_COOLDOWN_SECONDS, MAX_DESCRIPTION, MAX_NAME, Fire
from agentauri.serve.schemas import (
    DEFAULT_LIMIT,
    EXAMPLE_ID,
    EXAMPLE_TIME,
    MAX_LIMIT,
    MAX_OFFSET,
    Body,
    Pagination,
    Schema,
    Text,
)
from agentauri.serve.triggers.breaker_schemas import CircuitBreaker
from agentauri.serve.triggers.configs import ANY_CONFIG

MAX_SEARCH = 255
READ_ONLY = (
    "id", "organization_id", "created_by", "is_stateful", "cost_class", "disabled_reason", "fired_count",
    "last_fired_at", "error_count", "last_error", "circuit_breaker", "created_at", "updated_at",
)  # fmt: skip
"""What answers carry and bodies may therefore carry too; it is ignored there."""
PLACE = {"type": "integer", "minimum": 1, "maximum": MAX_PLACE}
BLOCK = {"type": "integer", "minimum": 0, "maximum": MAX_PLACE}
START: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "const": "now"},
        PLACE,
        {"type": "object", "properties": {"seq": PLACE}, "required": ["seq"], "additionalProperties": False},
        {"type": "object", "properties": {"block": BLOCK}, "required": ["block"], "additionalProperties": False},
        {"type": "null"},
    ],
    "examples": ["now", {"seq": 1}, {"block": 20_000_000}],
}

ActionTypeName = Annotated[str, Field(json_schema_extra={"enum": [kind.value for kind in CHECKS]})]
Config = Annotated[dict[str, Any], WithJsonSchema(ANY_CONFIG)]
Object = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]

EXAMPLE_CONDITIONS: list[Any] = [
    {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": "42"},
    {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": "60"},
]
EXAMPLE_ACTIONS: list[Any] = [{"action_type": "rest", "priority": 1, "config": {"url": "https://example.com/hook"}}]
EXAMPLE_TRIGGER: dict[str, Any] = {
    "name": "Low score",
    "chain_id": 84532,
    "registry": "reputation",
    "conditions": EXAMPLE_CONDITIONS,
    "actions": EXAMPLE_ACTIONS,
}


class ConditionBody(Body):
    """A condition as it is written."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})

    id: str | None = Field(None, description="Of a condition that exists, so that its state stays.")
    condition_type: str = Field(json_schema_extra={"enum": [kind.value for kind in ConditionType]})
    field: str | None = Field(None, examples=["score"])
    operator: str | None = Field(None, examples=["<"])
    value: Any = Field(None, examples=["60"], description="A JSON value, or the same as text.")
    config: dict[str, Any] | None = None


class ActionBody(Body):
    """An action as it is written."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})

    id: str | None = Field(None, description="Of an action that exists, so that its secrets and deliveries stay.")
    action_type: ActionTypeName
    priority: int = Field(0, ge=0, le=MAX_PRIORITY, description="Lower goes first.")
    enabled: bool = True
    config: Config


class TriggerChange(Body):
    """Fields of a trigger to be changed; null clears one that may be null. Conditions and actions are whole lists."""

    name: str = Field(min_length=1, max_length=MAX_NAME, default="")
    description: str | None = Field(None, max_length=MAX_DESCRIPTION)
    chain_id: int | None = Field(None, ge=1, le=MAX_CHAIN_ID, strict=True, description="Null: any chain.")
    registry: Registry | None = Field(None, description="Null: any registry.")
    enabled: bool = True
    match_all: bool = Field(False, description="True: every event is meant where there are no conditions.")
    fire: Fire = Fire.EVERY
    cooldown_seconds: int = Field(0, ge=0, le=MAX_COOLDOWN_SECONDS, strict=True)
    conditions: list[ConditionBody] = Field(default_factory=list, max_length=MAX_CONDITIONS)
    actions: list[ActionBody] = Field(default_factory=list, max_length=MAX_ACTIONS)

    @model_validator(mode="before")
    @classmethod
    def _drop_read_only(cls, raw: object) -> object:
        ignored = READ_ONLY if "start" in cls.model_fields else (*READ_ONLY, "start")
        return {key: raw[key] for key in raw if key not in ignored} if isinstance(raw, dict) else raw

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, as JSON values."""
        return self.model_dump(exclude_unset=True)


class TriggerBody(TriggerChange):
    """A new trigger with its conditions and actions. What only answers carry is ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_TRIGGER]})

    name: str = Field(min_length=1, max_length=MAX_NAME)
    start: Annotated[Any, WithJsonSchema(START)] = Field(
        None,
        description="Where in the log it begins: with the events that come after its creation (`now`, or null), with "
        "the event of a `seq` (a number alone is one) or the first after it, or with the first event of its chain in "
        "a `block` or after it.",
    )


class StartStatus(StrEnum):
    """``ended``: the trigger was switched off before its past was worked off."""

    WORKING = "working"
    JOINED = "joined"
    ENDED = "ended"


class Start(Schema):
    """How far the past of a trigger is worked off that began in it. When it `joined` the log, it is as any other."""

    from_seq: int = Field(description="It begins with this event of the log, or the first after it.")
    from_block: int | None = Field(description="And with no block before this one.")
    position: int = Field(description="Events up to this seq are worked off.")
    until: int = Field(description="The end of the log, as it was last looked at.")
    status: StartStatus
    joined_seq: int | None = Field(description="From this place in the log on it meets events as they come.")


class Condition(Schema):
    """A condition as it is stored: operator canonical, value typed."""

    id: UUID
    condition_type: ConditionType
    field: str | None
    operator: str | None
    value: Any
    config: Object


class Action(Schema):
    """An action; secrets in its configuration are masked."""

    id: UUID
    action_type: ActionTypeName
    priority: int
    enabled: bool
    disabled_by: str | None = Field(json_schema_extra={"enum": ["user", "system", None]})
    disabled_reason: str | None = Field(description="Why, when it was the system: a sentence.")
    disabled_at: datetime | None
    config: Config


class Trigger(Schema):
    """A trigger with its conditions and actions."""

    id: UUID = Field(examples=[EXAMPLE_ID])
    organization_id: UUID
    created_by: UUID | None
    name: str
    description: str
    chain_id: int | None
    registry: Registry | None
    enabled: bool
    disabled_reason: str | None = Field(description="Why the system disabled it.")
    match_all: bool
    fire: Fire
    cooldown_seconds: int
    is_stateful: bool = Field(description="Whether a condition looks at earlier events.")
    cost_class: CostClass = Field(description="How events find it, the cheapest first; scanned: each event tries it.")
    fired_count: int
    last_fired_at: datetime | None = Field(description="Block time of the last event that it fired on.")
    error_count: int = Field(description="Events in a row on which evaluating it failed.")
    last_error: str | None
    circuit_breaker: CircuitBreaker
    start: Start | None = Field(description="Null: it began when it was made.")
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(examples=[EXAMPLE_TIME])
    conditions: list[Condition]
    actions: list[Action]


class TriggerAnswer(Schema):
    """One trigger."""

    data: Trigger


class TriggerList(Schema):
    """A page of triggers, the newest first."""

    data: list[Trigger]
    pagination: Pagination


class TriggerQuery(BaseModel):
    """What a list of triggers is narrowed by."""

    model_config = ConfigDict(frozen=True)

    chain_id: int | None = Field(None, ge=1, le=MAX_CHAIN_ID, description="Of this chain alone.")
    registry: Registry | None = Field(None, description="Of this registry alone.")
    enabled: bool | None = Field(None, description="Enabled ones alone, or disabled ones.")
    search: Text | None = Field(
        None, min_length=1, max_length=MAX_SEARCH, description="Part of the name or the description."
    )
    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="How many entries at most.")
    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="How many entries to skip.")
