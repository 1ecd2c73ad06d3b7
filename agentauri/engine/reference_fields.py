"""The specification's rules for single events, written down as plainly as possible: see reference.py.

It shares no code with the engine; of the models it takes what says which fields there are, and the expressions'
compiler, for which there is no second one.
"""

import json
from fractions import Fraction
from typing import Any
from uuid import UUID

import re2

from agentauri.models.condition import Condition, GroupConfig
from agentauri.models.event import Event
from agentauri.models.expression import compile_expression
from agentauri.models.fields import ALIASES, CASELESS, COLUMNS, FIELDS, ORDERED, Kind, get_field

FIRST_BIG_AGENT = 2**63
LIMIT = 10**101
NUMERIC_CHARACTERS = set("0123456789+-.eE")
EXPRESSION_TEXT = 4096


def compare(operator: str, left: Any, right: Any) -> bool:
    """Whether the comparison holds."""
    outcomes: dict[str, bool] = {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return outcomes[operator]


def passes(one: Condition, event: Event) -> bool:
    """Whether a stateless condition is true of the event."""
    if isinstance(one.config, GroupConfig):
        parts = [passes(part, event) for part in one.config.conditions]
        return {"all": all(parts), "any": any(parts), "none": not any(parts)}[one.config.mode]
    if one.type == "expression":
        return _agrees(str(one.value), event)
    value, operator = read(one.field or "", event), str(one.operator)
    if operator in ("exists", "not_exists"):
        return (value is not None) is (operator == "exists")
    if value is None:
        return False
    kind = get_field(one.field or "").kind
    if operator == "matches":
        options = re2.Options()
        options.log_errors, options.case_sensitive = False, not (one.ignore_case or kind in CASELESS)
        return re2.search(one.value, value, options) is not None
    given = [_given(kind, each) for each in (one.value if isinstance(one.value, tuple) else (one.value,))]
    if one.ignore_case and isinstance(value, str):
        value, given = value.casefold(), [each.casefold() for each in given]
    match operator:
        case "in" | "not_in":
            return (value in given) is (operator == "in")
        case "contains":
            return given[0] in value
        case "starts_with":
            return bool(value.startswith(given[0]))
        case "ends_with":
            return bool(value.endswith(given[0]))
        case "=" | "!=":
            return (value == given[0]) is (operator == "=")
    return compare(operator, value, given[0])


def _agrees(text: str, event: Event) -> bool:
    known = {name: read(name, event) for name in [*FIELDS, *ALIASES]}
    given = {name: float(one) if isinstance(one, Fraction) else one for name, one in known.items() if one is not None}
    exact = json.loads(event.data_json).get("value")
    given["value"] = str(exact) if type(exact) in (int, str) else None
    fitting = {name: one for name, one in given.items() if one is not None and not _is_long(one)}
    try:
        return compile_expression(text).program.eval(data=fitting).value() is True
    except RuntimeError:
        return False


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > EXPRESSION_TEXT


def _given(kind: Kind, value: Any) -> Any:
    if kind in ORDERED:
        return Fraction(str(value))
    return value.lower() if kind in CASELESS else value


def read(name: str, event: Event) -> Any:
    """The field's value, None where it is absent or of a wrong kind."""
    target = get_field(name)
    data = json.loads(event.data_json, parse_float=Fraction)
    raw = getattr(event, target.name) if target.name in COLUMNS else data.get(target.name)
    if target.name == "agent_id" and raw is None:
        raw = data.get("agent_id") if str(data.get("agent_id", "")).isdecimal() else None
        raw = raw if raw is not None and int(raw) >= FIRST_BIG_AGENT else None
    return _typed(target.kind, raw)


def _typed(kind: Kind, raw: Any) -> Any:
    if raw is None or (kind is Kind.BOOLEAN) is not isinstance(raw, bool):
        return None
    if kind in ORDERED:
        try:
            number = Fraction(raw) if isinstance(raw, int | Fraction) or set(raw) <= NUMERIC_CHARACTERS else None
            return number if number is not None and abs(number) < LIMIT else None
        except (ValueError, TypeError):
            return None
    if kind is Kind.HASHES:
        return [each.lower() for each in raw if isinstance(each, str)] if isinstance(raw, list) else None
    if kind is Kind.BOOLEAN:
        return raw
    text = str(raw) if isinstance(raw, str | UUID) else None
    if text is None or (kind is Kind.URI and not text):
        return None
    return text.lower() if kind in CASELESS else text
