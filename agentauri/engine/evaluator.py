"""Triggers and their state in memory, and what each event of the log does to them. Pure: no I/O and no clock.

Guarantees that the same versions and events in the same order give the same firings and the same state, whichever
partitions are evaluated together; that an error of one trigger is an outcome of that trigger alone (protocol P4);
and that ``load_partition`` of what ``dump_partition`` gave goes on as if nothing had been between.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from agentauri.engine.compile import compile_test
from agentauri.engine.dues import Dues
from agentauri.engine.index import TriggerIndex
from agentauri.engine.narrow import CostClass, cost_class, find_place
from agentauri.engine.plan import Firing, Memory, Plan, SlotNames, cool_down, is_watch, slot_names
from agentauri.engine.state import Changes, Slot
from agentauri.engine.watch import Watch
from agentauri.models.event import Event
from agentauri.models.trigger import TriggerDefinition

NONE: frozenset[int] = frozenset()
MAX_ERROR_TEXT = 500
NEVER = 2**63
"""Later than any block."""


@dataclass(frozen=True, slots=True)
class EvaluationFailure:
    """A trigger's latest error, and on how many events in a row it has failed."""

    trigger_id: UUID
    error: str
    count: int


class PartitionEvaluator:
    """The triggers of one or many partitions. Versions of a partition come before its ``load_partition``."""

    def __init__(self) -> None:
        self._plans: dict[UUID, Plan] = {}
        self._index: TriggerIndex[Plan] = TriggerIndex()
        self._remembering: dict[int, dict[UUID, Plan]] = {}
        """Plans that have state, by partition."""
        self._changes: dict[int, Changes] = {}
        self._failures: dict[UUID, EvaluationFailure] = {}
        self._errors: Counter[UUID] = Counter()
        self._scanned: dict[UUID, UUID] = {}
        """Triggers that every event of their chain and registry has to try, with their organizations."""
        self._withdrawn: list[tuple[UUID, UUID]] = []
        self._dues = Dues()
        self._first_dues = self._dues.first

    @property
    def trigger_count(self) -> int:
        """How many triggers are evaluated."""
        return len(self._plans)

    def scanned(self) -> Counter[UUID]:
        """By organization, how many of its triggers nothing narrows: what it costs everybody."""
        return Counter(self._scanned.values())

    # -- versions -------------------------------------------------------------------------------------------------

    def apply_version(
        self,
        trigger_id: UUID,
        partition: int,
        definition: Mapping[str, Any] | None,
        state: Mapping[str, Any] | None = None,
    ) -> EvaluationFailure | None:
        """From here on the trigger is ``definition`` (None: off or gone, its state dropped).

        ``state``, as by ``dump_trigger``: what it remembers from here on. A definition that cannot be used takes the
        trigger out, and is its failure.
        """
        old = self._take_out(trigger_id)
        slots = {slot.prefix: slot for slot in old.memory.slots} if old and old.memory else {}
        failure = None
        if definition is not None:
            try:
                self._put_in(trigger_id, partition, definition, slots)
                if state is not None:
                    self.recall(trigger_id, state)
            except Exception as error:  # noqa: BLE001  # P4: whatever is wrong with one trigger is its own outcome
                self._take_out(trigger_id)
                failure = self._fail(trigger_id, error, count=1)
        new = self._plans.get(trigger_id)
        kept = [] if new is None or new.memory is None else new.memory.slots
        for slot in slots.values():
            if slot not in kept:
                self._changes_of(partition).update((slot, group) for group in slot.groups)
                slot.groups.clear()
        return failure

    def _put_in(self, trigger_id: UUID, partition: int, stored: Mapping[str, Any], known: Mapping[str, Slot]) -> None:
        definition = TriggerDefinition.from_json(stored)
        if definition.id != trigger_id:
            raise ValueError(f"the definition is that of trigger {definition.id}")
        names, slots = slot_names(definition), {}
        for name, kind in names.kinds(definition).items():
            prefix = f"{trigger_id.hex}:{name}:"
            slots[name] = known.get(prefix) or Slot(prefix, kind)
        memory = self._remember(definition, names, slots, partition) if slots else None
        place, tests = find_place(definition)
        plan = Plan(definition, partition, place, compile_test(tests, partial(self._count_error, trigger_id)), memory)
        self._plans[trigger_id] = plan
        self._index.add(plan)
        if not place.is_narrow and cost_class(definition.conditions) is CostClass.SCANNED:
            self._scanned[trigger_id] = definition.organization_id
        if memory is not None:
            self._remembering.setdefault(partition, {})[trigger_id] = plan

    def _remember(
        self, definition: TriggerDefinition, names: SlotNames, slots: Mapping[str, Slot], partition: int
    ) -> Memory | Watch:
        changes = self._changes_of(partition)
        if not is_watch(definition):
            return Memory(definition, names, slots, changes)
        ((position, condition),) = [one for one in enumerate(definition.conditions) if one[1].is_stateful]
        remind = partial(self._dues.put, partition, definition.id)
        cooled = cool_down(definition, names, slots, changes)
        withdraw = partial(self._withdraw, definition.id)
        return Watch(position, condition, slots[names.parts[0]], cooled, changes, remind, withdraw)

    def _take_out(self, trigger_id: UUID) -> Plan | None:
        plan = self._plans.pop(trigger_id, None)
        if plan is not None:
            self._scanned.pop(trigger_id, None)
            self._index.remove(plan)
            self._remembering.get(plan.partition, {}).pop(trigger_id, None)
        return plan

    def drop_partition(self, partition: int) -> None:
        """Forget the triggers and the state of a partition."""
        for trigger_id in [one.trigger_id for one in self._plans.values() if one.partition == partition]:
            self._take_out(trigger_id)
        self._dues.drop(partition)
        self._changes.pop(partition, None)

    # -- events ---------------------------------------------------------------------------------------------------

    def evaluate(self, event: Event, skip: frozenset[int] = NONE) -> Sequence[Firing]:
        """What the next event of the log makes fire, in partitions that are not in ``skip``.

        Absences of its chain that are due at its time come first: they know nothing of the event (protocol P20).
        """
        firings: list[Firing] = []
        if self._first_dues and self._first_dues.get(event.chain_id, NEVER) <= event.block_timestamp:
            firings = self._fall_due(event.chain_id, event.block_timestamp, lambda partition: partition not in skip)
        for plan in self._index.candidates(event):
            if skip and plan.partition in skip:
                continue
            try:
                firing = plan.meet(event)
            except Exception as error:  # noqa: BLE001  # P4: an error of one trigger never stops the batch
                plan.errors += 1
                self._fail(plan.trigger_id, error, plan.errors)
                continue
            if plan.errors:
                plan.errors = 0
            if firing is not None:
                firings.append(firing)
        return firings

    def tick(
        self, chain_id: int, time: int, partitions: Collection[int], clock_seq: int | None = None
    ) -> Sequence[Firing]:
        """The absences that are due when the chain has come to ``time`` and nothing more of it is to be met before.

        Telling the same time, or an earlier one, again changes nothing. ``clock_seq``: so far had the log come at that
        time (None: to its end).
        """
        if self._first_dues.get(chain_id, NEVER) > time:
            return ()
        return self._fall_due(chain_id, time, lambda partition: partition in partitions, clock_seq)

    def _fall_due(
        self, chain_id: int, time: int, is_meant: Callable[[int], bool], clock_seq: int | None = None
    ) -> list[Firing]:
        firings: list[Firing] = []
        for due in self._dues.take(chain_id, time, is_meant):
            plan = self._plans.get(due.trigger_id)
            try:
                firing = None if plan is None else plan.fall_due(due.key, time, clock_seq)
            except Exception as error:  # noqa: BLE001  # P4: as for events
                self._fail(due.trigger_id, error, count=1)
                continue
            if firing is not None:
                firings.append(firing)
        return firings

    def watches(self, partitions: Collection[int]) -> list[UUID]:
        """The triggers of these partitions that wait for absences."""
        plans = (plan for partition in partitions for plan in self._remembering.get(partition, {}).values())
        return [plan.trigger_id for plan in plans if isinstance(plan.memory, Watch)]

    def believe(self, trigger_id: UUID, told: Collection[UUID]) -> set[UUID]:
        """Take absences of a trigger for told, by their last events; those that still are the last of their groups.

        For a state that was built anew without what told them: a clock, or events that were retracted since.
        """
        plan = self._plans.get(trigger_id)
        return set() if plan is None else plan.believe(told)

    def _withdraw(self, trigger_id: UUID, event_id: UUID) -> None:
        self._withdrawn.append((trigger_id, event_id))

    def take_withdrawn(self) -> list[tuple[UUID, UUID]]:
        """Absences that were told and did not come about, by trigger and last event, since this was last asked."""
        taken, self._withdrawn = self._withdrawn, []
        return taken

    def _count_error(self, trigger_id: UUID) -> None:
        self._errors[trigger_id] += 1

    def take_expression_errors(self) -> Counter[UUID]:
        """By trigger, how often its expressions came to an error since this was last asked: such a verdict is false."""
        errors, self._errors = self._errors, Counter()
        return errors

    def _fail(self, trigger_id: UUID, error: Exception, count: int) -> EvaluationFailure:
        text = f"{type(error).__name__}: {error}"[:MAX_ERROR_TEXT].replace("\0", "\ufffd")
        failure = self._failures[trigger_id] = EvaluationFailure(trigger_id, text, count)
        return failure

    def take_failures(self) -> list[EvaluationFailure]:
        """The latest failure of each trigger that failed since this was last asked."""
        failures, self._failures = list(self._failures.values()), {}
        return failures

    # -- state ----------------------------------------------------------------------------------------------------

    def _changes_of(self, partition: int) -> Changes:
        return self._changes.setdefault(partition, set())

    def take_changes(self) -> dict[int, dict[str, Any]]:
        """By partition the keys whose state was touched since this was last asked; None: the key is gone."""
        taken = {}
        for partition, changes in self._changes.items():
            if changes:
                dumped = [(slot.prefix + group, slot.dump(group)) for slot, group in changes]
                gone = dict.fromkeys(key for key, state in dumped if state is None)
                taken[partition] = gone | {key: state for key, state in dumped if state is not None}
                changes.clear()
        return taken

    def dump_partition(self, partition: int) -> dict[str, Any]:
        """All state of a partition as JSON, by key."""
        return {slot.prefix + group: slot.dump(group) for slot in self._slots(partition) for group in slot.groups}

    def load_partition(self, partition: int, state: Mapping[str, Any]) -> None:
        """Make ``state`` all that the partition's triggers remember; keys of no present trigger are left out.

        Raises ValueError where a value is not what ``dump_partition`` gives.
        """
        slots = self._slots(partition)
        self._changes_of(partition).clear()
        _fill(slots, state)
        self._dues.drop(partition)
        for plan in self._remembering.get(partition, {}).values():
            if isinstance(plan.memory, Watch):
                plan.memory.remind_all()

    def dump_trigger(self, trigger_id: UUID) -> dict[str, Any]:
        """All that one trigger remembers as JSON, by key; nothing of one that is not there."""
        plan = self._plans.get(trigger_id)
        slots = [] if plan is None or plan.memory is None else plan.memory.slots
        return {slot.prefix + group: slot.dump(group) for slot in slots for group in slot.groups}

    def recall(self, trigger_id: UUID, state: Mapping[str, Any]) -> None:
        """Make ``state``, as by ``dump_trigger``, all that one trigger remembers, if it is there.

        Raises ValueError where a value is not what ``dump_trigger`` gives.
        """
        plan = self._plans.get(trigger_id)
        if plan is None or plan.memory is None:
            return
        changes = self._changes_of(plan.partition)
        changes.update((slot, group) for slot in plan.memory.slots for group in slot.groups)
        _fill(plan.memory.slots, state)
        changes.update((slot, group) for slot in plan.memory.slots for group in slot.groups)
        if isinstance(plan.memory, Watch):
            plan.memory.remind_all()

    def _slots(self, partition: int) -> list[Slot]:
        plans = self._remembering.get(partition, {}).values()
        return [slot for plan in plans if plan.memory is not None for slot in plan.memory.slots]


def _fill(slots: Sequence[Slot], state: Mapping[str, Any]) -> None:
    """Make ``state`` all that is in ``slots``; keys of no slot among them are left out."""
    homes = {slot.prefix: slot for slot in slots}
    for slot in slots:
        slot.groups.clear()
    for key, stored in state.items():
        trigger, _, rest = key.partition(":")
        name, _, group = rest.partition(":")
        home = homes.get(f"{trigger}:{name}:")
        if home is not None:
            home.load(group, stored)
