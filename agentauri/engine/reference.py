"""The specification's rules for triggers, written down as plainly as possible: slow, and easy to check by reading.

Tests and benches hold the real evaluator to this one. It shares no code with it: no index, no closures, fractions in
place of decimals, whole histories in place of running state. Nothing in the service uses it.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from agentauri.engine.reference_fields import compare, passes, read
from agentauri.models.condition import Condition
from agentauri.models.event import Event
from agentauri.models.stateful_config import AbsenceConfig, AggregateConfig, ChangeConfig, EmaConfig, RateConfig
from agentauri.models.trigger import Fire, TriggerDefinition

ENTRIES = 1000
BUCKETS = 256
TOLERANCE = 1e-9

Shown = tuple[tuple[int, str, Any], ...]
"""(position, name, value) of what was computed."""


@dataclass(frozen=True)
class Match:
    """A trigger that holds: its group, what was computed, whether a cool-down silenced it, and for an absence the
    last event of the group."""

    trigger: UUID
    group: tuple[str, ...]
    shown: Shown
    silent: bool
    last: UUID | None = None


@dataclass
class Past:
    """What happened to one group of a trigger: by condition the (time, value) of its events, in the log's order."""

    seen: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    held: bool = False
    fired_at: int | None = None
    told: bool = False
    fired_before: int | None = None
    """For an absence that was told: the firing before."""


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
        """Every match of the event, and before it every absence that is due by then."""
        due = self.tick(event.chain_id, event.block_timestamp)
        found = (self._try(trigger, event) for trigger in self.definitions.values())
        return due + [match for match in found if match is not None]

    def tick(self, chain: int, time: int) -> list[Match]:
        """Every absence that is due when the chain has come to that time."""
        found = []
        for trigger in filter(_is_absence, self.definitions.values()):
            names = _names(trigger)
            for index, one in _stateful(trigger):
                for group, past in self.pasts.get(trigger.id, {}).items():
                    last = past.seen.get(names[index], [])
                    if not isinstance(one.config, AbsenceConfig) or not last or group[0] != str(chain) or past.told:
                        continue
                    began, event = last[-1]
                    if began + one.config.window_seconds <= time:
                        past.told, past.fired_before = True, past.fired_at
                        since = datetime.fromtimestamp(began, UTC).isoformat().replace("+00:00", "Z")
                        silent = _cool_down(trigger, past, began + one.config.window_seconds)
                        found.append(Match(trigger.id, group[1:], ((index, "since", since),), silent, event.id))
        return found

    def _try(self, trigger: TriggerDefinition, event: Event) -> Match | None:
        if trigger.chain_id not in (None, event.chain_id) or trigger.registry not in (None, event.registry):
            return None
        if not all(passes(one, event) for one in trigger.conditions if not one.is_stateful):
            return None
        group = _group(trigger, event)
        if group is None:
            return None
        if _is_absence(trigger):
            group = (str(event.chain_id), *group)
        past = self.pasts.setdefault(trigger.id, {}).setdefault(group, Past())
        stateful, names = _stateful(trigger), _names(trigger)
        outcomes = [_update(one, names[index], past, event) for index, one in stateful]
        if None in outcomes or _is_absence(trigger):
            return None
        computed = [(index, one, *outcome) for (index, one), outcome in zip(stateful, outcomes, strict=True) if outcome]
        holds = all(held for _, _, held, _, _ in computed)
        turned, past.held = holds and not past.held, holds
        if not (turned if trigger.fire is Fire.ON_CHANGE else holds):
            return None
        shown = tuple((index, name, value) for index, _, _, name, value in computed if name)
        silent = _cool_down(trigger, past, event.block_timestamp)
        for index, one in stateful:
            if not silent and isinstance(one.config, RateConfig) and one.config.reset_on_trigger:
                past.seen[names[index]] = []
        return Match(trigger.id, group, shown, silent)


def _is_absence(trigger: TriggerDefinition) -> bool:
    return any(one.type == "absence" for one in trigger.conditions)


def _cool_down(trigger: TriggerDefinition, past: Past, time: int) -> bool:
    """Whether the match is silent; if not, it is the group's newest firing."""
    if past.fired_at is not None and time < past.fired_at + trigger.cooldown_seconds:
        return True
    past.fired_at = time if trigger.cooldown_seconds else None
    return False


def _stateful(trigger: TriggerDefinition) -> list[tuple[int, Condition]]:
    return [(index, one) for index, one in enumerate(trigger.conditions) if one.is_stateful]


def _names(trigger: TriggerDefinition) -> dict[int, str]:
    """A name for each stateful condition: what it is, and which of those that are the same."""
    names: dict[int, str] = {}
    for index, one in _stateful(trigger):
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
    alike = _group_by(old) == _group_by(new) and _is_absence(old) == _is_absence(new)
    for past in pasts.values():
        past.seen = {name: values for name, values in past.seen.items() if name in kept}
        past.held = past.held and same
        past.told = past.told and bool(kept)
        past.fired_at = past.fired_at if new.cooldown_seconds and alike else None


def _group_by(trigger: TriggerDefinition) -> tuple[str, ...]:
    return next((one.group_by for _, one in _stateful(trigger)), ("agent_id",))


def _group(trigger: TriggerDefinition, event: Event) -> tuple[str, ...] | None:
    values = [read(name, event) for name in _group_by(trigger)]
    if None in values:
        return None if trigger.is_stateful else ()
    return tuple(str(value) for value in values)


def _update(one: Condition, name: str, past: Past, event: Event) -> tuple[bool, str, Any] | None:
    """Take the event in: (holds, name of the computed value, the value); None where the event lacks the field."""
    value = 0 if one.field is None else read(one.field, event)
    if value is None:
        return None
    seen = past.seen.setdefault(name, [])
    match one.config:
        case EmaConfig() as config:
            seen.append((0, float(value)))
            return _ema(one, config, [number for _, number in seen])
        case RateConfig() as config:
            seen[:] = _window(seen, event.block_timestamp, 0, config.window_seconds)
            return _compare(one, len(seen)), "count", len(seen)
        case AggregateConfig() as config:
            return _aggregate(one, config, seen, event.block_timestamp, value)
        case ChangeConfig() as config:
            seen.append((0, value))
            return _change(one, config, [number for _, number in seen])
        case AbsenceConfig() as config:
            if not seen or event.block_timestamp >= seen[-1][0]:
                due = seen[-1][0] + config.window_seconds if past.told and seen else 0
                if event.block_timestamp < due == past.fired_at:  # there was no absence after all
                    past.fired_at = past.fired_before
                seen.append((event.block_timestamp, event))
                past.told = False
            return False, "", None
    raise ValueError(f"{one.type} is not stateful")


def _ema(one: Condition, config: EmaConfig, values: list[float]) -> tuple[bool, str, float]:
    ema = values[0]
    for value in values[1:]:
        ema = config.factor * value + (1 - config.factor) * ema
    return len(values) >= (config.min_samples or 1) and _compare(one, ema), "ema", ema


def _window(seen: list[tuple[int, Any]], time: int, value: Any, length: int) -> list[tuple[int, Any]]:
    """What is counted of a window. A bucket of old entries stays while its newest time is in the window."""
    edge = max([time, *(one for one, _ in seen)]) - length
    kept = sorted([*seen, (time, value)], key=lambda entry: entry[0]) if time > edge else seen
    newest, older = kept[-ENTRIES:], kept[:-ENTRIES]
    last = {one * BUCKETS // length: one for one, _ in older}
    old = [entry for entry in older if last[entry[0] * BUCKETS // length] > edge]
    return old + [entry for entry in newest if entry[0] > edge]


def _aggregate(
    one: Condition, config: AggregateConfig, seen: list[tuple[int, Any]], time: int, value: Any
) -> tuple[bool, str, Any]:
    if config.window_seconds is None:
        seen[:] = [*seen, (time, value)][-(config.last_n or 1) :]
    else:
        seen[:] = _window(seen, time, value, config.window_seconds)
        if config.function not in ("count", "sum"):
            seen[:] = seen[-ENTRIES:]
    result = _function(config.function, [entry for _, entry in seen])
    return len(seen) >= (config.min_samples or 1) and _compare(one, result), "aggregate", result


def _function(name: str, values: list[Any]) -> Any:
    match name:
        case "count":
            return len(values)
        case "distinct":
            return len({str(value) for value in values})
        case "sum":
            return sum(values, Fraction(0))
        case "avg":
            return float(sum(values, Fraction(0)) / len(values))
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "stddev":
            mean = sum(values, Fraction(0)) / len(values)
            return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return float(sorted(values)[math.ceil(Fraction(int(name[1:]), 100) * len(values)) - 1])


def _change(one: Condition, config: ChangeConfig, values: list[Any]) -> tuple[bool, str, Any]:
    if len(values) == 1:
        return False, "", None
    (before, now), value = values[-2:], Fraction(str(one.value))
    if one.operator == "crosses_above":
        return before <= value < now, "previous", before
    if one.operator == "crosses_below":
        return before >= value > now, "previous", before
    if config.mode == "percent":
        return before != 0 and compare(str(one.operator), 100 * (now - before) / abs(before), value), "previous", before
    return compare(str(one.operator), now - before, value), "previous", before


def _compare(one: Condition, value: Any) -> bool:
    """With the condition's value: doubles that are close are equal, all else is exact."""
    threshold = Fraction(str(one.value))
    if isinstance(value, float) and abs(value - float(threshold)) <= TOLERANCE:
        return one.operator in ("=", "<=", ">=")
    return compare(str(one.operator), Fraction(value), threshold)
