"""A trigger compiled: its filter, its stateful parts, and what happens to an event that passes.

An event that passes the filter updates every part that finds its field; then all are compared, so the order of
conditions never matters. on_change, cool-down and resets depend on the events alone (protocol P19). The states of
a version that changes nothing in type, field, config or filter go over to the next; a threshold may change.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import orjson

from agentauri.engine.compile import Test
from agentauri.engine.cooldown import CoolDown
from agentauri.engine.narrow import Place
from agentauri.engine.part import Computed, Part
from agentauri.engine.read import ReadText, group_reader
from agentauri.engine.state import Changes, Mark, Slot, State
from agentauri.engine.stateful import kind_of, make_part
from agentauri.engine.watch import Silenced, Watch
from agentauri.models.condition import Condition, ConditionType, GroupConfig
from agentauri.models.condition_config import DEFAULT_GROUP_BY, GroupBy
from agentauri.models.event import Event
from agentauri.models.trigger import ActionRef, Fire, TriggerDefinition


class Firing(NamedTuple):
    """A match. ``cooled_down``: a cool-down silenced it, and none of its actions is to be taken."""

    trigger_id: UUID
    organization_id: UUID
    name: str
    actions: tuple[ActionRef, ...]
    group: str
    computed: dict[str, Computed]
    """By the position of the condition among all the trigger's, as text."""
    cooled_down: bool
    keeps_state: bool
    """Whether it depends on earlier events, and so on their retraction."""
    silence: Silenced | None = None
    """Of an absence: what it is about, which is not the event that told it."""


class SlotNames(NamedTuple):
    """The slots of a trigger: one for each stateful condition, for on_change, and for the cool-down."""

    parts: tuple[str, ...]
    held: str | None
    cooled: str | None

    def kinds(self, definition: TriggerDefinition) -> dict[str, type[State]]:
        """The names with what each slot keeps; empty for a trigger that remembers nothing."""
        stateful = [one for one in definition.conditions if one.is_stateful]
        kinds = {name: kind_of(one) for name, one in zip(self.parts, stateful, strict=True)}
        return kinds | {name: Mark for name in (self.held, self.cooled) if name is not None}


class Memory:
    """What a trigger remembers, and how it decides whether a match fires."""

    __slots__ = ("_changes", "_cooled", "_group", "_held", "_parts")

    def __init__(
        self, definition: TriggerDefinition, names: SlotNames, slots: Mapping[str, Slot], changes: Changes
    ) -> None:
        """``slots`` has one for each of ``names``; what is touched is added to ``changes``."""
        stateful = [(index, one) for index, one in enumerate(definition.conditions) if one.is_stateful]
        self._parts: tuple[Part, ...] = tuple(
            make_part(index, slots[name], one) for (index, one), name in zip(stateful, names.parts, strict=True)
        )
        self._held = slots[names.held] if names.held else None
        self._cooled = cool_down(definition, names, slots, changes)
        self._changes = changes
        self._group: ReadText = group_reader(_group_by(definition))

    @property
    def slots(self) -> list[Slot]:
        """All slots in use."""
        more = [self._held, None if self._cooled is None else self._cooled.slot]
        return [part.slot for part in self._parts] + [slot for slot in more if slot is not None]

    def meet(self, event: Event) -> tuple[str, dict[str, Computed], bool] | None:
        """Take in an event that passed the filter: (group, computed values, cooled down) of a match, else None.

        An event without the group's field does nothing. One that lacks a stateful condition's field updates the
        others, but has no outcome: it fires nothing, and on_change stands as it stood.
        """
        group = self._group(event)
        if group is None:
            if self._parts:
                return None
            group = NO_GROUP
        outcome = self._update(event, group)
        if outcome is None or not self._turns(outcome[0], event, group):
            return None
        return group, outcome[1], self._is_cooled_down(event, group)

    def _update(self, event: Event, group: str) -> tuple[bool, dict[str, Computed]] | None:
        holds, whole, computed = True, True, {}
        for part in self._parts:
            verdict = part.update(event, group)
            if verdict is None:
                whole = False
                continue
            self._changes.add((part.slot, group))
            holds = holds and verdict[0]
            computed[str(part.position)] = verdict[1]
        return (holds, computed) if whole else None

    def _turns(self, holds: bool, event: Event, group: str) -> bool:
        """Whether an outcome is one that can fire: true, and for on_change not true before."""
        if self._held is None:
            return holds
        before = group in self._held.groups
        if holds == before:
            return False
        if holds:
            self._held.groups[group] = Mark(event.block_timestamp)
        else:
            del self._held.groups[group]
        self._changes.add((self._held, group))
        return holds

    def _is_cooled_down(self, event: Event, group: str) -> bool:
        """Whether an earlier firing silences this match; if not, it is a firing: what that resets is reset."""
        if self._cooled is not None and self._cooled.silences(group, event.block_timestamp):
            return True
        for part in self._parts:
            if part.resets:
                part.slot.groups.pop(group, None)
        return False


def cool_down(
    definition: TriggerDefinition, names: SlotNames, slots: Mapping[str, Slot], changes: Changes
) -> CoolDown | None:
    """The cool-down of a trigger that has one."""
    return CoolDown(slots[names.cooled], definition.cooldown_seconds, changes) if names.cooled else None


NO_GROUP = ""
"""The cool-down of a stateless trigger is kept by agent; events without an agent share this group."""


NOTHING_COMPUTED: dict[str, Computed] = {}


def _group_by(definition: TriggerDefinition) -> GroupBy:
    return next((one.group_by for one in definition.conditions if one.is_stateful), DEFAULT_GROUP_BY)


def slot_names(definition: TriggerDefinition) -> SlotNames:
    """The names of a trigger's slots: equal in two versions exactly where state goes over from one to the other."""
    if not definition.is_stateful:  # on_change needs a stateful condition, so a cool-down is all that can be
        return SlotNames((), None, _cooled_name(definition))
    inputs = [definition.chain_id, definition.registry]
    filters = [_canonical(one) for one in definition.conditions if not one.is_stateful]
    context = orjson.dumps([inputs, sorted(filters)])
    parts: list[str] = []
    for condition in definition.conditions:
        if condition.is_stateful:
            name = _digest(context + _canonical(condition).encode())
            parts.append(f"{name}-{sum(one.startswith(name) for one in parts)}")
    turns = definition.fire is Fire.ON_CHANGE and not is_watch(definition)
    held = f"held-{_digest(orjson.dumps(sorted(parts)))}" if turns else None
    return SlotNames(tuple(parts), held, _cooled_name(definition))


def is_watch(definition: TriggerDefinition) -> bool:
    """Whether time makes the trigger fire: absence is its only stateful condition. It turns true but once by itself."""
    return any(one.type is ConditionType.ABSENCE for one in definition.conditions)


def _cooled_name(definition: TriggerDefinition) -> str | None:
    if not definition.cooldown_seconds:
        return None
    by = [*_group_by(definition), "by chain"] if is_watch(definition) else _group_by(definition)
    return f"cooled-{_digest(orjson.dumps(by))}"


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=8).hexdigest()


def _canonical(condition: Condition) -> str:
    """A condition as text, equal where it means the same: ids, aliases, order and thresholds of state left out."""
    target, config = condition.target, condition.config
    if isinstance(config, GroupConfig):
        return _text(["group", config.mode, sorted(_canonical(one) for one in config.conditions)])
    name = None if target is None else target.name
    if condition.is_stateful:
        return _text([condition.type, name, config.wire() | {"group_by": condition.group_by}])
    return _text([condition.type, name, condition.operator, str(condition.value), condition.ignore_case])


def _text(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


class Plan:
    """A trigger as it is evaluated. ``errors`` counts the events in a row on which it failed."""

    __slots__ = (
        "_firing", "actions", "errors", "memory", "name", "organization_id", "partition", "place", "test", "trigger_id",
    )  # fmt: skip

    def __init__(
        self,
        definition: TriggerDefinition,
        partition: int,
        place: Place,
        test: Test | None,
        memory: Memory | Watch | None,
    ) -> None:
        self.trigger_id = definition.id
        self.organization_id = definition.organization_id
        self.name = definition.name
        self.actions = definition.actions
        self.partition = partition
        self.place = place
        self.test = test
        self.memory = memory
        self.errors = 0
        self._firing: Firing | None = None
        """Of a trigger without memory: always the same, so made once."""

    def meet(self, event: Event) -> Firing | None:
        """What the trigger does with an event that its place let through."""
        if self.test is not None and not self.test(event):
            return None
        if self.memory is not None:
            match = self.memory.meet(event)
            return None if match is None else self._fire(*match)
        if self._firing is None:
            self._firing = self._fire(NO_GROUP, NOTHING_COMPUTED, False)
        return self._firing

    def fall_due(self, key: str, time: int, clock_seq: int | None) -> Firing | None:
        """The firing of an absence that is due at ``time`` in the group of ``key``; see ``Watch.fall_due``."""
        match = self.memory.fall_due(key, time, clock_seq) if isinstance(self.memory, Watch) else None
        return None if match is None else self._fire(*match)

    def believe(self, told: Collection[UUID]) -> set[UUID]:
        """See ``Watch.believe``; nothing of a trigger without absence."""
        return self.memory.believe(told) if isinstance(self.memory, Watch) else set()

    def _fire(
        self, group: str, computed: dict[str, Computed], cooled_down: bool, silence: Silenced | None = None
    ) -> Firing:
        keeps_state = self.memory is not None
        return Firing(
            self.trigger_id, self.organization_id, self.name, self.actions, group, computed, cooled_down, keeps_state,
            silence,
        )  # fmt: skip
