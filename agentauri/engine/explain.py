"""Why a trigger did with an event what it did: each condition by itself, from the state that it had before.

Asks the same evaluation that fires, with the trigger's conditions one at a time, so that an explanation cannot say
anything else than what happens. Pure; the caller finds the state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from agentauri.engine.compile import compile_test
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.expression import expression_error
from agentauri.engine.plan import Firing, is_watch, slot_names
from agentauri.engine.read import group_reader, hashes_reader, reader
from agentauri.models.condition import Condition, ConditionType, GroupConfig
from agentauri.models.condition_config import DEFAULT_GROUP_BY, GroupBy
from agentauri.models.event import Event
from agentauri.models.fields import Kind
from agentauri.models.operators import Operator
from agentauri.models.trigger import Fire, TriggerDefinition

PARTITION = 0
OPPOSITE = {
    Operator.LT: Operator.GTE,
    Operator.GTE: Operator.LT,
    Operator.GT: Operator.LTE,
    Operator.LTE: Operator.GT,
    Operator.EQ: Operator.NE,
    Operator.NE: Operator.EQ,
}
"""Of a comparison and its opposite one always holds, and tells what was compared."""
ANY_ORDER = (Operator.GTE, Operator.LT)

State = Mapping[str, Any]


class Result(StrEnum):
    """What the trigger did with the event."""

    FIRED = "fired"
    COOLED_DOWN = "cooled_down"
    NOT_FIRED = "not_fired"
    OFF = "off"
    """It was disabled there."""
    UNKNOWN = "unknown"
    """It depends on a past that is not kept any more."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One condition. ``holds`` None: it was not compared, or what it depends on is not known.

    ``actual`` is the event's value, ``computed`` what earlier events added to it, ``before`` and ``after`` its state.
    ``error`` is what an expression came to instead of a verdict.
    """

    condition: Condition
    holds: bool | None
    actual: object = None
    computed: Mapping[str, object] | None = None
    before: object = None
    after: object = None
    parts: "tuple[Explained, ...]" = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A memory of the whole trigger before and after the event."""

    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of an event, and why. ``on_change``, ``cooldown``: their memories, where the trigger has them."""

    result: Result
    reason: str
    group: str | None
    conditions: tuple[Explained, ...]
    on_change: Change | None = None
    cooldown: Change | None = None


def explain(definition: TriggerDefinition, event: Event, state: State | None) -> Explanation:
    """What the trigger did with ``event`` from ``state`` (as ``dump_partition`` gives it; None: not known)."""
    filters = [one for one in definition.conditions if not one.is_stateful]
    stateful = [one for one in definition.conditions if one.is_stateful]
    test = compile_test(filters)
    passes = _is_meant(definition, event) and (test is None or test(event))
    group = group_reader(_group_by(definition))(event)
    known = state is not None or not definition.keeps_state
    meeting = _Meeting(definition, event, state or {}, group or "")
    explained: list[Explained] = []
    for condition in definition.conditions:
        if not condition.is_stateful:
            explained.append(_stateless(condition, event))
        elif known:
            explained.append(
                meeting.stateful(condition, stateful.index(condition), passes=passes and group is not None)
            )
        else:
            explained.append(Explained(condition, None, _actual(condition, event)))
    result = meeting.result if known or not passes else Result.UNKNOWN
    reason = _reason(definition, event, explained, result, passes=passes, group=group)
    held, cooled = meeting.memories() if known else (None, None)
    return Explanation(result, reason, group, tuple(explained), held, cooled)


class _Meeting:
    """The trigger and the event, met once whole and once for each stateful condition."""

    def __init__(self, definition: TriggerDefinition, event: Event, state: State, group: str) -> None:
        self._definition, self._event, self._group = definition, event, group
        self._names = slot_names(definition)
        self._state = state
        self._before, firing, self._after = _meet(definition, event, state)
        self.result = Result.NOT_FIRED
        if firing is not None and not is_watch(definition):
            self.result = Result.COOLED_DOWN if firing.cooled_down else Result.FIRED

    def stateful(self, condition: Condition, index: int, *, passes: bool) -> Explained:
        name = self._names.parts[index]
        holds, computed = self._alone(condition, name) if passes else (None, None)
        key = self._key(name)
        actual = _actual(condition, self._event)
        return Explained(condition, holds, actual, computed, self._before.get(key), self._after.get(key))

    def _alone(self, condition: Condition, name: str) -> tuple[bool | None, Mapping[str, object] | None]:
        """Whether the condition holds by itself, and what it computed whether or not it does."""
        if condition.type is ConditionType.ABSENCE:
            return None, None
        operator = condition.operator
        opposite = () if operator is None else (OPPOSITE.get(operator),) if operator in OPPOSITE else ANY_ORDER
        for asked in (operator, *opposite):
            computed = self._fires_by(replace(condition, operator=asked), name)
            if computed is not None:
                return asked is operator, computed
        return (None if _is_missing(condition, self._event) else False), None

    def _fires_by(self, condition: Condition, name: str) -> Mapping[str, object] | None:
        filters = tuple(one for one in self._definition.conditions if not one.is_stateful)
        alone = replace(self._definition, conditions=(*filters, condition), fire=Fire.EVERY, cooldown_seconds=0)
        own, prefix = slot_names(alone).parts[0], f"{alone.id.hex}:"
        state = {
            key.replace(f"{prefix}{name}:", f"{prefix}{own}:", 1): value
            for key, value in self._state.items()
            if key.startswith(f"{prefix}{name}:")
        }
        _, firing, _ = _meet(alone, self._event, state)
        return None if firing is None else firing.computed.get(str(len(filters)), {})

    def memories(self) -> tuple[Change | None, Change | None]:
        """Of on_change and of the cool-down."""
        return self._change(self._names.held), self._change(self._names.cooled)

    def _change(self, name: str | None) -> Change | None:
        if name is None:
            return None
        key = self._key(name)
        return Change(self._before.get(key), self._after.get(key))

    def _key(self, name: str) -> str:
        group = f"{self._event.chain_id}:{self._group}" if is_watch(self._definition) else self._group
        return f"{self._definition.id.hex}:{name}:{group}"


def _meet(
    definition: TriggerDefinition, event: Event, state: State
) -> tuple[dict[str, Any], Firing | None, dict[str, Any]]:
    """The trigger's state before, what the event makes fire, and the state after."""
    evaluator = PartitionEvaluator()
    evaluator.apply_version(definition.id, PARTITION, definition.to_json())
    evaluator.load_partition(PARTITION, state)
    before = evaluator.dump_partition(PARTITION)
    firings = evaluator.evaluate(event)
    return before, firings[-1] if firings else None, evaluator.dump_partition(PARTITION)


def _group_by(definition: TriggerDefinition) -> GroupBy:
    return next((one.group_by for one in definition.conditions if one.is_stateful), DEFAULT_GROUP_BY)


def _is_meant(definition: TriggerDefinition, event: Event) -> bool:
    chain_fits = definition.chain_id in (None, event.chain_id)
    return chain_fits and (definition.registry is None or definition.registry.value == event.registry)


def _stateless(condition: Condition, event: Event) -> Explained:
    test = compile_test([condition])
    parts: Sequence[Condition] = condition.config.conditions if isinstance(condition.config, GroupConfig) else ()
    explained = tuple(_stateless(part, event) for part in parts)
    is_expression = condition.type is ConditionType.EXPRESSION
    error = expression_error(str(condition.value), event) if is_expression else None
    holds = test is None or test(event)
    return Explained(condition, holds, _actual(condition, event), parts=explained, error=error)


def _actual(condition: Condition, event: Event) -> object:
    """The event's value that the condition reads; None where it reads none, or finds none."""
    target = condition.target
    if target is None:
        return None
    return hashes_reader(target)(event) if target.kind is Kind.HASHES else reader(target)(event)


def _is_missing(condition: Condition, event: Event) -> bool:
    return condition.target is not None and _actual(condition, event) is None


def _reason(
    definition: TriggerDefinition,
    event: Event,
    explained: Sequence[Explained],
    result: Result,
    *,
    passes: bool,
    group: str | None,
) -> str:
    """One sentence for people."""
    if definition.chain_id not in (None, event.chain_id):
        return f"The trigger is for chain {definition.chain_id}, the event is of chain {event.chain_id}."
    if not _is_meant(definition, event):
        return f"The trigger is for the registry {definition.registry}, the event is of {event.registry}."
    failing = [index for index, one in enumerate(explained) if one.holds is False]
    stateful = [one for one in explained if one.condition.is_stateful]
    match result:
        case Result.FIRED:
            return "Every condition held."
        case Result.COOLED_DOWN:
            return f"Every condition held; a firing less than {definition.cooldown_seconds} seconds before silenced it."
        case Result.UNKNOWN:
            return "The event passed the filter; the rest depends on events or versions that are not kept any more."
    if failing:
        return f"Condition {failing[0]} did not hold."
    if not passes:
        return "The event did not pass the filter."
    if stateful and group is None:
        return "The event lacks a field that the trigger's state is grouped by."
    if any(one.condition.type is ConditionType.ABSENCE for one in stateful):
        return "An absence fires when nothing comes; the event began its wait anew."
    if any(one.holds is None for one in stateful):
        return "The event lacks the field of a stateful condition."
    return "Every condition held, as it did before; the trigger fires when that changes."
