"""What single conditions and actions of a trigger take and answer."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import ConfigDict, Field, model_validator

from agentauri.models.action import MAX_PRIORITY
from agentauri.models.condition import ConditionType
from agentauri.serve.schemas import EXAMPLE_ID, Body, Pagination, Schema
from agentauri.serve.triggers.schemas import (
    EXAMPLE_ACTIONS,
    EXAMPLE_CONDITIONS,
    Action,
    ActionBody,
    ActionTypeName,
    Condition,
    ConditionBody,
    Config,
)

READ_ONLY = ("id", "disabled_by", "disabled_reason", "disabled_at")
"""What answers carry and bodies may therefore carry too; it is ignored there."""
IGNORED = "Ignored: a new one gets an id of its own."
ConditionId = Annotated[UUID, Path(examples=[EXAMPLE_ID])]
ActionId = Annotated[UUID, Path(examples=[EXAMPLE_ID])]


def _without_read_only(raw: object) -> object:
    return {key: raw[key] for key in raw if key not in READ_ONLY} if isinstance(raw, dict) else raw


class NewCondition(ConditionBody):
    """A new condition."""

    model_config = ConfigDict(json_schema_extra={"examples": EXAMPLE_CONDITIONS, "additionalProperties": False})

    id: str | None = Field(None, description=IGNORED)


class ConditionChange(Body):
    """Fields of a condition to be changed."""

    condition_type: str = Field("", json_schema_extra={"enum": [kind.value for kind in ConditionType]})
    field: str | None = Field(None, examples=["score"])
    operator: str | None = Field(None, examples=["<"])
    value: Any = Field(None, examples=["60"], description="A JSON value, or the same as text.")
    config: dict[str, Any] | None = None

    _drop = model_validator(mode="before")(_without_read_only)

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, as JSON values."""
        return self.model_dump(exclude_unset=True)


class NewAction(ActionBody):
    """A new action."""

    model_config = ConfigDict(json_schema_extra={"examples": EXAMPLE_ACTIONS, "additionalProperties": False})

    id: str | None = Field(None, description=IGNORED)


class ActionChange(Body):
    """Fields of an action to be changed; the configuration is replaced whole, but for secrets that stay masked."""

    action_type: ActionTypeName = ""
    priority: int = Field(0, ge=0, le=MAX_PRIORITY, description="Lower goes first.")
    enabled: bool = True
    config: Config = Field(default_factory=dict)

    _drop = model_validator(mode="before")(_without_read_only)

    def sent(self) -> dict[str, Any]:
        """The fields that were sent, as JSON values."""
        return self.model_dump(exclude_unset=True)


class ConditionAnswer(Schema):
    """One condition."""

    data: Condition


class ConditionList(Schema):
    """A trigger's conditions, in the order in which they were written; those within groups stand in their group."""

    data: list[Condition]
    pagination: Pagination


class ActionAnswer(Schema):
    """One action."""

    data: Action


class ActionList(Schema):
    """A trigger's actions, by priority."""

    data: list[Action]
    pagination: Pagination
