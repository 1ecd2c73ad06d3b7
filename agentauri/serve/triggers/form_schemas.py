"""What the description of triggers looks like."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from agentauri.models.action import ActionType
from agentauri.models.condition import ConditionType
from agentauri.models.event import Registry
from agentauri.models.fields import Kind
from agentauri.models.operators import Operator
from agentauri.models.template import FilterName
from agentauri.serve.schemas import Schema

JsonSchema = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "additionalProperties": True, "description": "A JSON Schema (draft 2020-12)."}),
]


class ConditionKind(Schema):
    """A condition type. A group's schema shows one level; groups nest within groups besides."""

    type: ConditionType
    is_stateful: bool = Field(description="Whether it looks at earlier events.")
    json_schema: JsonSchema = Field(alias="schema")


class ActionKind(Schema):
    """An action type."""

    type: ActionType
    json_schema: JsonSchema = Field(alias="schema")


class OperatorName(Schema):
    """An operator, and what else is taken for it."""

    name: Operator
    synonyms: list[str]


class EventField(Schema):
    """A field of events that conditions and templates may name."""

    name: str
    kind: Kind
    in_data: bool = Field(description="Whether it stands in the event's `data`.")
    aliases: list[str]
    operators: list[Operator]


class EventForm(Schema):
    """What events are made of."""

    registries: list[Registry]
    types: list[str]
    type_aliases: dict[str, str]
    fields: list[EventField]


class TemplateFilter(Schema):
    """What a value in a template can pass through."""

    name: FilterName
    takes_argument: bool


class TemplateForm(Schema):
    """What templates may name; `<n>` is the place of a condition, from 0."""

    names: list[str]
    filters: list[TemplateFilter]


class FormLimits(Schema):
    """How much a trigger may hold: conditions (those in groups included), groups within groups, actions."""

    conditions: int
    depth: int
    actions: int


class TriggerForm(Schema):
    """Everything that a form for triggers needs."""

    conditions: list[ConditionKind]
    actions: list[ActionKind]
    operators: list[OperatorName]
    event: EventForm
    templates: TemplateForm
    limits: FormLimits


class TriggerFormAnswer(Schema):
    """What triggers are made of."""

    data: TriggerForm
