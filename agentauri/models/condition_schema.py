"""JSON Schema of every condition type, made from the rules by which conditions are checked: a form is built from it.

A type's schema lists, for each group of fields of one kind, the operators that they take and the form of the value.
Guarantees that what fits a schema is refused for nothing but what a schema cannot say (that a
regular expression compiles, that a number is of bearable size); text that is taken for a list besides is left out.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from agentauri.models import condition_config as configs
from agentauri.models import stateful_config as stateful
from agentauri.models import values
from agentauri.models.condition import MAX_CONDITIONS, STATEFUL, ConditionType, GroupMode
from agentauri.models.condition_rules import DEFAULT_FIELDS, MAX_COUNT, MAX_RESPONSE, RULES, Rule
from agentauri.models.event import MAX_JSON_INTEGER
from agentauri.models.expression import MAX_EXPRESSION
from agentauri.models.fields import EVENT_TYPE_ALIASES, EVENT_TYPES, GROUP_FIELDS, NUMERIC, Field, Kind, get_field
from agentauri.models.operators import MEMBERSHIP, PRESENCE, TEXTUAL, Operator, operators_of

Schema = dict[str, Any]

AGENT = "agent_id"
MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
PATTERNS = frozenset({Operator.MATCHES})
ID: Schema = {"type": "string", "format": "uuid", "description": "Of a condition that exists, so that its state stays."}
NUMBER: Schema = {
    "anyOf": [
        {"type": "number", "minimum": -MAX_JSON_INTEGER, "maximum": MAX_JSON_INTEGER},
        {"type": "string", "pattern": r"^-?[0-9]{1,60}(\.[0-9]{1,60})?$"},
    ],
    "description": "A number; its text where JSON cannot hold it exactly.",
}
AGENT_ID: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_JSON_INTEGER},
        {"type": "string", "pattern": "^[0-9]{1,77}$"},
    ]
}
TEXT: Schema = {"type": "string", "maxLength": values.MAX_TEXT}
PART: Schema = {"type": "string", "minLength": 1, "maxLength": values.MAX_TEXT}
PATTERN: Schema = {
    "type": "string", "maxLength": values.MAX_PATTERN, "description": "A regular expression of RE2.",
}  # fmt: skip


def _form(pattern: re.Pattern[str]) -> Schema:
    return {"type": "string", "maxLength": values.MAX_TEXT, "pattern": f"^{pattern.pattern}$"}


KINDS: Mapping[Kind, Schema] = {
    Kind.INTEGER: NUMBER,
    Kind.DECIMAL: NUMBER,
    Kind.TIME: {
        "anyOf": [
            {"type": "string", "format": "date-time", "pattern": MOMENT},
            {"type": "number", "minimum": 0, "maximum": values.MAX_TIME_SECONDS},
            {"type": "string", "pattern": "^[0-9]{1,11}$"},
        ],
        "description": "A time, or seconds since 1970.",
    },
    Kind.TEXT: TEXT,
    Kind.URI: TEXT,
    Kind.ADDRESS: _form(values.ADDRESS),
    Kind.HASH: _form(values.HASH),
    Kind.HASHES: _form(values.HASH),
    Kind.HEX: _form(values.HEX),
    Kind.BOOLEAN: {"type": "boolean"},
}
SCALARS: Mapping[ConditionType, Schema] = {
    ConditionType.EVENT_TYPE_EQUALS: {"enum": [*EVENT_TYPES, *EVENT_TYPE_ALIASES]},
    ConditionType.RESPONSE_THRESHOLD: {"type": "number", "minimum": 0, "maximum": MAX_RESPONSE},
    ConditionType.EXPRESSION: {
        "type": "string", "minLength": 1, "maxLength": MAX_EXPRESSION,
        "description": "CEL, the Common Expression Language, over the event's fields.",
        "examples": ["score < 60 && tag1.startsWith('job-')"],
    },
    ConditionType.EMA_THRESHOLD: NUMBER,
    ConditionType.WINDOW_AGGREGATE: NUMBER,
    ConditionType.CHANGE: NUMBER,
    ConditionType.RATE_LIMIT: {"type": "integer", "minimum": 0, "maximum": MAX_COUNT},
}  # fmt: skip
"""Of the types whose values are narrower than their field's."""

GROUP_BY: Schema = {
    "anyOf": [
        {"enum": ["none", *GROUP_FIELDS]},
        {"type": "array", "items": {"enum": list(GROUP_FIELDS)}, "minItems": 1, "maxItems": configs.MAX_GROUP_FIELDS,
         "uniqueItems": True},
    ],
    "default": configs.wire_group_by(configs.DEFAULT_GROUP_BY),
    "description": "What the state is kept by.",
}  # fmt: skip
SAMPLES: Schema = {"type": "integer", "minimum": 1, "maximum": stateful.MAX_SAMPLES}
BOOLEAN: Schema = {"type": "boolean"}
WINDOW: Schema = _form(configs.TIME_WINDOW) | {"description": "1s to 366d.", "examples": ["5m"]}
CONFIGS: Mapping[Callable[..., Any], Schema] = {
    configs.parse_no_config: {"properties": {}},
    configs.parse_text_config: {"properties": {"ignore_case": BOOLEAN}},
    stateful.parse_ema_config: {
        "properties": {
            "window_size": SAMPLES,
            "alpha": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "min_samples": SAMPLES,
            "group_by": GROUP_BY,
        },
        "anyOf": [{"required": ["window_size"]}, {"required": ["alpha"]}],
    },
    stateful.parse_rate_config: {
        "properties": {"time_window": WINDOW, "reset_on_trigger": BOOLEAN, "group_by": GROUP_BY},
        "required": ["time_window"],
    },
    stateful.parse_aggregate_config: {
        "properties": {
            "function": {"enum": list(stateful.Function)},
            "time_window": WINDOW,
            "last_n": {"type": "integer", "minimum": 1, "maximum": stateful.MAX_LAST_N},
            "min_samples": SAMPLES,
            "group_by": GROUP_BY,
        },
        "required": ["function"],
        "oneOf": [{"required": ["time_window"]}, {"required": ["last_n"]}],
    },
    stateful.parse_change_config: {
        "properties": {
            "mode": {"enum": list(stateful.ChangeMode), "default": stateful.ChangeMode.DELTA.value},
            "group_by": GROUP_BY,
        },
    },
    stateful.parse_absence_config: {
        "properties": {"time_window": WINDOW, "group_by": GROUP_BY},
        "required": ["time_window"],
    },
}


@cache
def condition_schemas() -> dict[ConditionType, Schema]:
    """The schema of each type that this version has; groups are the last."""
    made = {kind: _plain(kind, rule) for kind, rule in RULES.items()}
    stateless = [schema for kind, schema in made.items() if kind not in STATEFUL]
    return made | {ConditionType.GROUP: _group(stateless)}


def _object(kind: ConditionType, properties: Schema, required: Iterable[str], config: Schema, **more: Any) -> Schema:
    own = {"id": ID, "condition_type": {"const": kind.value}}
    shape = {"type": "object", "additionalProperties": False}
    return {
        **shape,
        "title": kind.value,
        "properties": {**own, **properties, "config": {**shape, **config}},
        "required": ["condition_type", *required],
        **more,
    }


def _group(stateless: list[Schema]) -> Schema:
    """A group as a form shows it: of conditions that are no groups; the API takes them nested to depth 4 besides."""
    parts = {"type": "array", "items": {"anyOf": stateless}, "minItems": 1, "maxItems": MAX_CONDITIONS}
    config = {
        "properties": {"mode": {"enum": list(GroupMode)}, "conditions": parts},
        "required": ["mode", "conditions"],
    }
    return _object(ConditionType.GROUP, {}, ["config"], config)


def _plain(kind: ConditionType, rule: Rule) -> Schema:
    branches = [
        _branch(names, operators, _value(kind, rule, field, operators), _functions(kind, field))
        for names, field in _groups(rule)
        for operators in _by_value(rule, field)
    ]
    used = {one for branch in branches for one in branch["properties"].get("operator", {}).get("enum", ())}
    properties: Schema = {"operator": {"enum": [one.value for one in Operator if one in used]} if used else {}}
    properties["value"], required = {}, ["operator"] if used else []
    if rule.fields is not None:
        default = DEFAULT_FIELDS.get(kind) or (rule.fields[0] if len(rule.fields) == 1 else None)
        properties["field"] = {"enum": list(rule.fields)} | ({} if default is None else {"default": default})
        required += ["field"] if default is None and not rule.optional_field else []
    config = CONFIGS[rule.config]
    required += ["config"] if "required" in config or "anyOf" in config else []
    return _object(kind, properties, required, config, anyOf=branches)


def _branch(
    names: list[str] | None, operators: list[Operator], value: Schema | None, functions: list[str] | None
) -> Schema:
    """What holds for some fields (None: for none) and some operators of a type; ``functions``: the ones it may have."""
    properties: Schema = {"operator": {"enum": [one.value for one in operators]}} if operators else {}
    if names != []:
        properties["field"] = False if names is None else {"enum": names}
    if functions is not None:
        properties["config"] = {"properties": {"function": {"enum": functions}}}
    required = ["field"] if functions is not None and names else []
    if value is not None:
        properties["value"], required = value, [*required, "value"]
    return {"properties": properties} | ({"required": required} if required else {})


def _functions(kind: ConditionType, field: Field | None) -> list[str] | None:
    """The functions that go with a field of a window; None where that is no question."""
    if kind is not ConditionType.WINDOW_AGGREGATE:
        return None
    if field is None:
        return [stateful.Function.COUNT.value]
    fitting = stateful.Function if field.kind in NUMERIC else stateful.OF_ANY_FIELD
    return [one.value for one in stateful.Function if one in fitting]


def _groups(rule: Rule) -> Iterable[tuple[list[str] | None, Field | None]]:
    """The type's fields, those together whose values have one form; a type without fields is one group.

    Where the field may be left out, that is a group, too: None.
    """
    if rule.fields is None:
        return [([], None)]
    groups: dict[str, tuple[list[str], Field]] = {}
    for name in rule.fields:
        field = get_field(name)
        groups.setdefault(AGENT if field.name == AGENT else field.kind, ([], field))[0].append(name)
    return [*groups.values(), *([(None, None)] if rule.optional_field else [])]


def _by_value(rule: Rule, field: Field | None) -> Iterable[list[Operator]]:
    """The operators of such fields, those together whose values have one form."""
    if rule.operators is not None and not rule.operators:
        yield []
        return
    allowed = rule.operators or (frozenset(Operator) if field is None else operators_of(field.kind))
    scalar = allowed - MEMBERSHIP - PRESENCE - TEXTUAL
    for part in (scalar, MEMBERSHIP, PRESENCE, PATTERNS, TEXTUAL - PATTERNS):
        together = [one for one in Operator if one in allowed & part]
        if together:
            yield together


def _value(kind: ConditionType, rule: Rule, field: Field | None, operators: list[Operator]) -> Schema | None:
    """The form of the value; None: it is ignored."""
    if not operators:
        return SCALARS.get(kind)
    scalar = SCALARS[kind] if rule.scalar is not None or field is None else _scalar_of(field)
    if operators[0] in MEMBERSHIP:
        return {"type": "array", "items": scalar, "minItems": 1, "maxItems": values.MAX_LIST}
    if operators[0] in PRESENCE:
        return None
    if operators[0] in PATTERNS:
        return PATTERN
    is_part = operators[0] in TEXTUAL and (field is None or field.kind is not Kind.HASHES)
    return PART if is_part else scalar


def _scalar_of(field: Field) -> Schema:
    return AGENT_ID if field.name == AGENT else KINDS[field.kind]
