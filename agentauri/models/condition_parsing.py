"""Conditions from JSON: what people and old clients send, checked, and what is stored, believed.

What ``parse_conditions`` returns cannot fail when it is evaluated. ``load_conditions`` undoes ``Condition.wire``.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from agentauri.models import condition_config as configs
from agentauri.models import stateful_config as stateful
from agentauri.models import values
from agentauri.models.condition import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    STATEFUL,
    TYPES,
    Condition,
    ConditionType,
    Config,
    GroupConfig,
    GroupMode,
    every,
)
from agentauri.models.condition_config import TextConfig
from agentauri.models.condition_rules import DEFAULT_FIELDS, RULES, Rule, misfit
from agentauri.models.fields import NUMERIC, Field, Kind, get_field
from agentauri.models.operators import (
    MEMBERSHIP,
    PRESENCE,
    SYNONYMS,
    TEXTUAL,
    Operator,
    operators_of,
    parse_operator,
)
from agentauri.models.problems import Problems
from agentauri.models.values import Scalar, Value


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
    target = None if field is None or kind in STATEFUL else get_field(field)
    value: Value = None
    if isinstance(raw, list):
        value = tuple(_load_scalar(target, one) for one in raw)
    elif raw is not None:
        value = raw if operator in TEXTUAL or kind is ConditionType.EXPRESSION else _load_scalar(target, raw)
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
            return stateful.load_ema_config(stored)
        case ConditionType.RATE_LIMIT:
            return stateful.load_rate_config(stored)
        case ConditionType.WINDOW_AGGREGATE:
            return stateful.load_aggregate_config(stored)
        case ConditionType.CHANGE:
            return stateful.load_change_config(stored)
        case ConditionType.ABSENCE:
            return stateful.load_absence_config(stored)
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
    operator = _parse_operator(rule, target, raw.get("operator"), f"{pointer}/operator", problems)
    value: Value = None
    if len(problems) == before:
        value = _parse_value(rule, target, operator, raw.get("value"), f"{pointer}/value", problems)
    parsed = rule.config(config, f"{pointer}/config", problems)
    if id_ is None or len(problems) > before:
        return None
    condition = Condition(id_, kind, field, operator, value, parsed)
    wrong = misfit(condition)
    if wrong is not None:
        problems.add(f"{pointer}/field", wrong)
    return condition


def _parse_type(raw: object) -> ConditionType:
    kind = TYPES.get(raw) if isinstance(raw, str) else None
    if kind is None:
        raise ValueError(f"must be one of {', '.join(ConditionType)}")
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
        if rule.optional_field:
            return None
        raw = DEFAULT_FIELDS.get(kind) or (rule.fields[0] if len(rule.fields) == 1 else None)
    if not isinstance(raw, str) or raw not in rule.fields:
        problems.add(pointer, f"must be one of {', '.join(rule.fields)}")
        return None
    return raw


def _parse_operator(rule: Rule, target: Field | None, raw: object, pointer: str, problems: Problems) -> Operator | None:
    if rule.operators is not None and not rule.operators:
        return None
    allowed = rule.operators or (operators_of(target.kind) if target else frozenset(Operator))
    return problems.check(pointer, lambda text: parse_operator(text, allowed), raw)


def _parse_value(
    rule: Rule, target: Field | None, operator: Operator | None, raw: object, pointer: str, problems: Problems
) -> Value:
    if operator in PRESENCE or (operator is None and rule.scalar is None):
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
