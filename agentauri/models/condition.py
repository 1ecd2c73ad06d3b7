"""A trigger's conditions: their closed set of types, and the one shape that all share on the wire.

``wire`` is both the API's answer and the stored form: parsing it again gives an equal condition. What each type
takes stands in condition_rules.py, how conditions are read in condition_parsing.py, how they are evaluated in
engine/; what joins them to a trigger, in trigger.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from enum import StrEnum
from uuid import UUID

from agentauri.models import condition_config as configs
from agentauri.models import values
from agentauri.models.condition_config import GroupBy, TextConfig
from agentauri.models.fields import Field, find_field
from agentauri.models.operators import Operator
from agentauri.models.stateful_config import StatefulConfig
from agentauri.models.values import Value

MAX_CONDITIONS = 50
"""Of one trigger, those within groups included."""

MAX_DEPTH = 4
"""Groups within groups."""


class ConditionType(StrEnum):
    """The condition types that can be used."""

    AGENT_ID_EQUALS = "agent_id_equals"
    EVENT_TYPE_EQUALS = "event_type_equals"
    TAG_EQUALS = "tag_equals"
    SCORE_THRESHOLD = "score_threshold"
    RESPONSE_THRESHOLD = "response_threshold"
    VALIDATOR_WHITELIST = "validator_whitelist"
    FILE_URI_EXISTS = "file_uri_exists"
    FIELD_MATCH = "field_match"
    GROUP = "group"
    EXPRESSION = "expression"
    EMA_THRESHOLD = "ema_threshold"
    RATE_LIMIT = "rate_limit"
    WINDOW_AGGREGATE = "window_aggregate"
    CHANGE = "change"
    ABSENCE = "absence"


TYPES = {kind.value: kind for kind in ConditionType}
STATEFUL = frozenset(
    {
        ConditionType.EMA_THRESHOLD,
        ConditionType.RATE_LIMIT,
        ConditionType.WINDOW_AGGREGATE,
        ConditionType.CHANGE,
        ConditionType.ABSENCE,
    }
)


class GroupMode(StrEnum):
    """How a group joins its parts; ``none`` negates each as it came out."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GroupConfig:
    """Of a group: its parts are stateless, and groups nest to MAX_DEPTH."""

    mode: GroupMode
    conditions: tuple["Condition", ...]

    def wire(self) -> dict[str, object]:
        """As JSON."""
        return {"mode": self.mode.value, "conditions": [condition.wire() for condition in self.conditions]}


Config = TextConfig | GroupConfig | StatefulConfig


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, validated. ``field`` keeps the name that was written, aliases included."""

    id: UUID
    type: ConditionType
    field: str | None
    operator: Operator | None
    value: Value
    config: Config
    target: Field | None = member(init=False, compare=False, repr=False)
    """The field of the event that it reads, None for groups, expressions and counts."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", None if self.field is None else find_field(self.field))

    @property
    def is_stateful(self) -> bool:
        """Whether what it compares depends on earlier events."""
        return self.type in STATEFUL

    @property
    def ignore_case(self) -> bool:
        """Whether text is compared without case."""
        return isinstance(self.config, TextConfig) and bool(self.config.ignore_case)

    @property
    def group_by(self) -> GroupBy:
        """The fields of the group that state is kept by, in one order whatever was written."""
        given = self.config.group_by if isinstance(self.config, StatefulConfig) else None
        return configs.DEFAULT_GROUP_BY if given is None else tuple(sorted(given))

    def wire(self) -> dict[str, object]:
        """The condition as the API answers it and as it is stored."""
        target = None if self.is_stateful else self.target  # what is kept of a field compares as a plain number
        value = (
            [values.wire_scalar(target, one) for one in self.value]
            if isinstance(self.value, tuple)
            else None
            if self.value is None
            else values.wire_scalar(target, self.value)
        )
        return {
            "id": str(self.id),
            "condition_type": self.type.value,
            "field": self.field,
            "operator": None if self.operator is None else self.operator.value,
            "value": value,
            "config": self.config.wire(),
        }


def every(conditions: Sequence[Condition]) -> Iterator[Condition]:
    """The conditions and those within groups, outer ones first."""
    for condition in conditions:
        yield condition
        if isinstance(condition.config, GroupConfig):
            yield from every(condition.config.conditions)
