"""A trigger's conditions: their closed set of types and operators, and the one shape that all share on the wire.

``parse_conditions`` accepts what people and old clients send; what it returns cannot fail when it is evaluated.
``wire`` is both the API's answer and the stored form: parsing it again gives an equal condition. How
conditions are evaluated stands in engine/; what joins them to a trigger, in trigger.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from agentauri.models import condition_config as configs
from agentauri.models import values
from agentauri.models.condition_config import EmaConfig, GroupBy, RateConfig, TextConfig
from agentauri.models.fields import ALIASES, FIELDS, NUMERIC, TAGS, Field, Kind, find_field, get_field
from agentauri.models.operators import (
    EQUALITY,
    MEMBERSHIP,
    ORDER,
    PRESENCE,
    SYNONYMS,
    TEXTUAL,
    Operator,
    operators_of,
    parse_operator,
)
from agentauri.models.problems import Problems
from agentauri.models.values import Scalar, Value

MAX_CONDITIONS = 50
"""Of one trigger, those within groups included."""

MAX_DEPTH = 4
"""Groups within groups."""

MAX_RESPONSE = 100
MAX_COUNT = 1_000_000_000


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
    EMA_THRESHOLD = "ema_threshold"
    RATE_LIMIT = "rate_limit"


TYPES = {kind.value: kind for kind in ConditionType}
STATEFUL = frozenset({ConditionType.EMA_THRESHOLD, ConditionType.RATE_LIMIT})


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


Config = TextConfig | GroupConfig | EmaConfig | RateConfig


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
    """The field of the event that it reads, None for groups and counts."""

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
        given = self.config.group_by if isinstance(self.config, EmaConfig | RateConfig) else None
        return configs.DEFAULT_GROUP_BY if given is None else tuple(sorted(given))

    def wire(self) -> dict[str, object]:
        """The condition as the API answers it and as it is stored."""
        target = self.target
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


@dataclass(frozen=True, slots=True)
class Rule:
    """What a type takes. ``fields``: None is no field; ``operators``: None is by the field's kind."""

    fields: tuple[str, ...] | None
    operators: frozenset[Operator] | None
    config: Callable[[Mapping[object, object], str, Problems], Config] = configs.parse_no_config
    scalar: Callable[[object], Scalar] | None = None


def _names(*kinds: Kind) -> tuple[str, ...]:
    canonical = tuple(name for name, field in FIELDS.items() if field.kind in kinds)
    return canonical + tuple(alias for alias, name in ALIASES.items() if name in canonical)


def _response(raw: object) -> Scalar:
    number = values.parse_number(raw)
    if not 0 <= number <= MAX_RESPONSE:
        raise ValueError(f"must lie between 0 and {MAX_RESPONSE}")
    return number


RULES = {
    ConditionType.AGENT_ID_EQUALS: Rule(("agent_id",), EQUALITY | MEMBERSHIP),
    ConditionType.EVENT_TYPE_EQUALS: Rule(("event_type",), EQUALITY | MEMBERSHIP, scalar=values.parse_event_type),
    ConditionType.TAG_EQUALS: Rule(TAGS, EQUALITY | MEMBERSHIP | TEXTUAL, configs.parse_text_config),
    ConditionType.SCORE_THRESHOLD: Rule(("score",), ORDER),
    ConditionType.RESPONSE_THRESHOLD: Rule(("response",), ORDER, scalar=_response),
    ConditionType.VALIDATOR_WHITELIST: Rule(("validator_address",), MEMBERSHIP),
    ConditionType.FILE_URI_EXISTS: Rule(_names(Kind.URI), PRESENCE),
    ConditionType.FIELD_MATCH: Rule(_names(*Kind), None, configs.parse_text_config),
    ConditionType.EMA_THRESHOLD: Rule(_names(*NUMERIC), ORDER, configs.parse_ema_config, values.parse_number),
    ConditionType.RATE_LIMIT: Rule(
        None, ORDER, configs.parse_rate_config, lambda raw: values.parse_integer(raw, 0, MAX_COUNT)
    ),
}

DEFAULT_FIELDS = {ConditionType.EMA_THRESHOLD: "score"}

LATER = ("window_aggregate", "change", "absence", "expression")
"""Types of the design that this version does not have."""


def parse_conditions(raw: object, pointer: str = "/conditions") -> tuple[Condition, ...]:
    """Conditions from the wire shape; ids are made where there are none.

    Raises InvalidRequest with every problem that was found, each at its JSON pointer.
    """
    problems = Problems()
    conditions = collect_conditions(raw, pointer, problems)
    problems.refuse("the conditions are not valid")
    return conditions


def collect_conditions(raw: object, pointer: str, problems: Problems) -> tuple[Condition, ...]:
    """Those of the conditions that fit; what does not is noted in ``problems``."""
    conditions = _parse_list(raw, pointer, problems, depth=0)
    inner = list(every(conditions))
    if len(inner) > MAX_CONDITIONS:
        problems.add(pointer, f"must have at most {MAX_CONDITIONS} conditions, those within groups included")
    if len({condition.id for condition in inner}) < len(inner):
        problems.add(pointer, "must not have the same condition id twice")
    return conditions


def _parse_list(raw: object, pointer: str, problems: Problems, depth: int) -> tuple[Condition, ...]:
    if not isinstance(raw, list):
        problems.add(pointer, "must be a list of conditions")
        return ()
    if len(raw) > MAX_CONDITIONS:
        problems.add(pointer, f"must have at most {MAX_CONDITIONS} entries")
        return ()
    parsed = (_parse_one(one, f"{pointer}/{index}", problems, depth) for index, one in enumerate(raw))
    return tuple(condition for condition in parsed if condition is not None)


def load_conditions(stored: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Conditions from what ``wire`` gave, without the checks that were made when they were written.

    A million are loaded at a start. Raises KeyError, TypeError or ValueError where it is not that form.
    """
    return tuple(_load(one) for one in stored)


def _load(stored: Mapping[str, Any]) -> Condition:
    kind, field, raw = TYPES[stored["condition_type"]], stored["field"], stored["value"]
    operator = None if stored["operator"] is None else SYNONYMS[stored["operator"]]
    target = None if field is None else get_field(field)
    value: Value = None
    if isinstance(raw, list):
        value = tuple(_load_scalar(target, one) for one in raw)
    elif raw is not None:
        value = raw if operator in TEXTUAL else _load_scalar(target, raw)
    return Condition(UUID(stored["id"]), kind, field, operator, value, _load_config(kind, stored["config"]))


def _load_scalar(target: Field | None, raw: Any) -> Scalar:
    if target is None or target.kind in NUMERIC:
        return values.parse_number(raw)
    loaded: Scalar = values.parse_time(raw) if target.kind is Kind.TIME else raw
    return loaded


def _load_config(kind: ConditionType, stored: Mapping[str, Any]) -> Config:
    match kind:
        case ConditionType.GROUP:
            return GroupConfig(GroupMode(stored["mode"]), load_conditions(stored["conditions"]))
        case ConditionType.EMA_THRESHOLD:
            return configs.load_ema_config(stored)
        case ConditionType.RATE_LIMIT:
            return configs.load_rate_config(stored)
    return TextConfig(**stored) if stored else configs.NO_OPTIONS


MEMBERS = ("id", "condition_type", "field", "operator", "value", "config")


def _parse_one(raw: object, pointer: str, problems: Problems, depth: int) -> Condition | None:
    if not isinstance(raw, dict):
        problems.add(pointer, "must be an object")
        return None
    problems.check_keys(pointer, raw, MEMBERS)
    kind = problems.check(f"{pointer}/condition_type", _parse_type, raw.get("condition_type"))
    id_ = problems.check(f"{pointer}/id", _parse_id, raw.get("id"))
    config = {} if raw.get("config") is None else raw["config"]
    if not isinstance(config, dict):
        problems.add(f"{pointer}/config", "must be an object")
        config = {}
    if kind is None:
        return None
    if kind is ConditionType.GROUP:
        group = _parse_group(config, f"{pointer}/config", problems, depth + 1)
        return None if group is None or id_ is None else Condition(id_, kind, None, None, None, group)
    if depth and kind in STATEFUL:
        problems.add(f"{pointer}/condition_type", "is stateful, and groups hold stateless conditions only")
    return _parse_plain(kind, id_, raw, config, pointer, problems)


def _parse_plain(
    kind: ConditionType,
    id_: UUID | None,
    raw: dict[object, object],
    config: dict[object, object],
    pointer: str,
    problems: Problems,
) -> Condition | None:
    before, rule = len(problems), RULES[kind]
    field = _parse_field(kind, rule, raw.get("field"), f"{pointer}/field", problems)
    target = get_field(field) if field is not None else None
    allowed = rule.operators or (operators_of(target.kind) if target else frozenset(Operator))
    operator = problems.check(f"{pointer}/operator", lambda text: parse_operator(text, allowed), raw.get("operator"))
    value: Value = None
    if operator is not None and len(problems) == before:
        value = _parse_value(rule, target, operator, raw.get("value"), f"{pointer}/value", problems)
    parsed = rule.config(config, f"{pointer}/config", problems)
    if id_ is None or len(problems) > before:
        return None
    return Condition(id_, kind, field, operator, value, parsed)


def _parse_type(raw: object) -> ConditionType:
    kind = TYPES.get(raw) if isinstance(raw, str) else None
    if kind is None:
        available = ", ".join(ConditionType)
        raise ValueError(
            f"{raw} is not available yet; available are {available}" if raw in LATER else f"must be one of {available}"
        )
    return kind


def _parse_id(raw: object) -> UUID:
    if raw is None:
        return uuid4()
    try:
        return UUID(raw if isinstance(raw, str) else "")
    except ValueError:
        raise ValueError("must be a UUID; leave it out for a new condition") from None


def _parse_field(kind: ConditionType, rule: Rule, raw: object, pointer: str, problems: Problems) -> str | None:
    if rule.fields is None:
        return None
    if raw is None or raw == "":
        raw = DEFAULT_FIELDS.get(kind) or (rule.fields[0] if len(rule.fields) == 1 else None)
    if not isinstance(raw, str) or raw not in rule.fields:
        problems.add(pointer, f"must be one of {', '.join(rule.fields)}")
        return None
    return raw


def _parse_value(
    rule: Rule, target: Field | None, operator: Operator, raw: object, pointer: str, problems: Problems
) -> Value:
    if operator in PRESENCE:
        return None
    if raw is None:
        problems.add(pointer, "is missing")
        return None
    if operator is Operator.MATCHES:
        return problems.check(pointer, values.parse_pattern, raw)
    if operator in TEXTUAL and (target is None or target.kind is not Kind.HASHES):
        return problems.check(pointer, _parse_part, raw)
    parser = rule.scalar or (lambda one: values.parse_scalar(target, one) if target else values.parse_number(one))
    if operator not in MEMBERSHIP:
        return problems.check(pointer, parser, raw)
    entries = problems.check(pointer, values.listed, raw) or []
    places = [f"{pointer}/{index}" if isinstance(raw, list) else pointer for index in range(len(entries))]
    parsed = (problems.check(place, parser, entry) for place, entry in zip(places, entries, strict=True))
    return tuple(one for one in parsed if one is not None)


def _parse_part(raw: object) -> str:
    text = values.parse_text(raw)
    if not text:
        raise ValueError("must not be empty")
    return text


def _parse_group(config: dict[object, object], pointer: str, problems: Problems, depth: int) -> GroupConfig | None:
    problems.check_keys(pointer, config, ("mode", "conditions"))
    mode = problems.check(f"{pointer}/mode", _parse_mode, config.get("mode"))
    if depth > MAX_DEPTH:
        problems.add(pointer, f"must not nest groups deeper than {MAX_DEPTH}")
        return None
    parts = _parse_list(config.get("conditions"), f"{pointer}/conditions", problems, depth)
    if config.get("conditions") == []:
        problems.add(f"{pointer}/conditions", "must have at least one condition")
    return None if mode is None else GroupConfig(mode, parts)


def _parse_mode(raw: object) -> GroupMode:
    if not isinstance(raw, str) or raw not in tuple(GroupMode):
        raise ValueError("must be all, any or none")
    return GroupMode(raw)
