"""The specification's rules for triggers, written down as plainly as possible: slow, and easy to check by reading.

Tests and benches hold the real evaluator to this one. It shares no code with it: no index, no closures, fractions in
place of decimals, whole histories in place of running state. Nothing in the service uses it.
"""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID

import re2

from agentauri.models.condition import Condition, GroupConfig
from agentauri.models.event import Event
from agentauri.models.fields import CASELESS, COLUMNS, ORDERED, Kind, get_field
from agentauri.models.stateful_config import EmaConfig, RateConfig
from agentauri.models.trigger import Fire, TriggerDefinition

ENTRIES = 1000
BUCKETS = 256
TOLERANCE = 1e-9
FIRST_BIG_AGENT = 2**63
LIMIT = 10**101
NUMERIC_CHARACTERS = set("0123456789+-.eE")

Match = tuple[UUID, tuple[str, ...], tuple[tuple[int, str, float], ...], bool]
"""Trigger, group, (position, name, value) of what was computed, and whether a cool-down silenced it."""


@dataclass
class Past:
    """What happened to one group of a trigger."""

    values: dict[str, list[float]] = field(default_factory=dict)
    times: dict[str, list[int]] = field(default_factory=dict)
    held: bool = False
    fired_at: int | None = None


class ReferenceEvaluator:
    """Triggers as they are defined, tried one after the other."""

    def __init__(self) -> None:
        self.definitions: dict[UUID, TriggerDefinition] = {}
        self.pasts: dict[UUID, dict[tuple[str, ...], Past]] = {}

    def apply_version(self, trigger_id: UUID, definition: TriggerDefinition | None) -> None:
        """The trigger is ``definition`` from here on; None: it is off, and forgets."""
        old = self.definitions.pop(trigger_id, None)
        if definition is None:
            self.pasts.pop(trigger_id, None)
            return
        if old is not None:
            _forget(old, definition, self.pasts.get(trigger_id, {}))
        self.definitions[trigger_id] = definition

    def evaluate(self, event: Event) -> list[Match]:
        """Every match of the event."""
        found = (self._try(trigger, event) for trigger in self.definitions.values())
        return [match for match in found if match is not None]

    def _try(self, trigger: TriggerDefinition, event: Event) -> Match | None:
        if trigger.chain_id not in (None, event.chain_id) or trigger.registry not in (None, event.registry):
            return None
        if not all(passes(one, event) for one in trigger.conditions if not one.is_stateful):
            return None
        group = _group(trigger, event)
        if group is None:
            return None
        past = self.pasts.setdefault(trigger.id, {}).setdefault(group, Past())
        stateful = [(index, one) for index, one in enumerate(trigger.conditions) if one.is_stateful]
        names = _names(trigger)
        outcomes = [_update(one, names[index], past, event) for index, one in stateful]
        if None in outcomes:
            return None
        computed = [(index, one, *outcome) for (index, one), outcome in zip(stateful, outcomes, strict=True) if outcome]
        holds = all(_holds(one, past, names[index], value) for index, one, _, value in computed)
        turned, past.held = holds and not past.held, holds
        if not (turned if trigger.fire is Fire.ON_CHANGE else holds):
            return None
        shown = tuple((index, name, value) for index, _, name, value in computed)
        silent = past.fired_at is not None and event.block_timestamp < past.fired_at + trigger.cooldown_seconds
        if not silent:
            past.fired_at = event.block_timestamp if trigger.cooldown_seconds else None
            for index, one in stateful:
                if isinstance(one.config, RateConfig) and one.config.reset_on_trigger:
                    past.times[names[index]] = []
        return trigger.id, group, shown, silent


def _names(trigger: TriggerDefinition) -> dict[int, str]:
    """A name for each stateful condition: what it is, and which of those that are the same."""
    names: dict[int, str] = {}
    for index, one in enumerate(trigger.conditions):
        if one.is_stateful:
            name = f"{one.type} {one.target} {one.config.wire()} {one.group_by}"
            names[index] = f"{name} {sum(other.startswith(name) for other in names.values())}"
    return names


def _filter(trigger: TriggerDefinition) -> object:
    conditions = [one.wire() | {"id": None} for one in trigger.conditions if not one.is_stateful]
    return trigger.chain_id, trigger.registry, sorted(json.dumps(one, sort_keys=True) for one in conditions)


def _forget(old: TriggerDefinition, new: TriggerDefinition, pasts: dict[tuple[str, ...], Past]) -> None:
    """What a new version starts afresh."""
    before, after = _names(old), _names(new)
    kept = set(before.values()) & set(after.values()) if _filter(old) == _filter(new) else set()
    same = kept == set(before.values()) == set(after.values()) and old.fire is new.fire
    for past in pasts.values():
        past.values = {name: value for name, value in past.values.items() if name in kept}
        past.times = {name: value for name, value in past.times.items() if name in kept}
        past.held = past.held and same
        past.fired_at = past.fired_at if new.cooldown_seconds and _group_by(old) == _group_by(new) else None


def _group_by(trigger: TriggerDefinition) -> tuple[str, ...]:
    stateful = [one for one in trigger.conditions if one.is_stateful]
    return stateful[0].group_by if stateful else ("agent_id",)


def _group(trigger: TriggerDefinition, event: Event) -> tuple[str, ...] | None:
    values = [read(name, event) for name in _group_by(trigger)]
    if None in values:
        return None if trigger.is_stateful else ()
    return tuple(str(value) for value in values)


def _update(one: Condition, name: str, past: Past, event: Event) -> tuple[str, float] | None:
    match one.config:
        case EmaConfig() as config:
            number = read(one.field or "", event)
            if number is None:
                return None
            past.values.setdefault(name, []).append(float(number))
            first, *rest = past.values[name]
            ema = first
            for value in rest:
                ema = config.factor * value + (1 - config.factor) * ema
            return "ema", ema
        case RateConfig() as config:
            past.times[name], count = _rate(past.times.get(name, []), event.block_timestamp, config.window_seconds)
            return "count", count
    raise ValueError(f"{one.type} is not stateful")


def _rate(times: list[int], time: int, length: int) -> tuple[list[int], int]:
    """The times that are kept, and how many they are. A bucket stays while its newest time is in the window."""
    edge = max([time, *times]) - length
    kept = sorted([*times, time]) if time > edge else times
    newest, older = kept[-ENTRIES:], kept[:-ENTRIES]
    last = {one * BUCKETS // length: one for one in older}
    kept = [one for one in older if last[one * BUCKETS // length] > edge] + [one for one in newest if one > edge]
    return kept, len(kept)


def _holds(one: Condition, past: Past, name: str, value: float) -> bool:
    threshold = Fraction(str(one.value))
    if isinstance(one.config, EmaConfig):
        if len(past.values[name]) < (one.config.min_samples or 1):
            return False
        if abs(value - float(threshold)) <= TOLERANCE:
            return one.operator in ("=", "<=", ">=")
    return _compare(str(one.operator), Fraction(value), threshold)


def _compare(operator: str, left: Any, right: Any) -> bool:
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
    return _compare(operator, value, given[0])


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
