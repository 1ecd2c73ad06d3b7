"""``absence``: a trigger that fires because nothing came. Events start its wait anew; time ends it (protocol P20).

State is kept per chain whatever ``group_by`` says, for chains' clocks know nothing of each other; so is the cool-down.
Whoever tells how late it is (an event of the chain, or the chain's clock) finds the same absences, due at the same
times; one is told once until the group's next event.

A chain may leave the blocks that told it. The absence stands nevertheless, for the fork that it takes comes to the same
time at once, unless it brings an event of the group from before the absence was due: then there was none.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple
from uuid import UUID

from agentauri.engine.cooldown import CoolDown
from agentauri.engine.part import Computed
from agentauri.engine.read import group_reader
from agentauri.engine.silence import Silence, kept
from agentauri.engine.state import Changes, Slot
from agentauri.models.condition import Condition
from agentauri.models.event import Event, rfc3339
from agentauri.models.stateful_config import AbsenceConfig

Remind = Callable[[int, int, str], None]
"""Has a state looked at: chain, time, key."""
Withdraw = Callable[[UUID], None]
"""Hears of a last event whose absence was told and did not come about."""


class Silenced(NamedTuple):
    """What an absence is about: the group's last event as it is shown, its time, and when the wait was over."""

    event: bytes
    time: int
    due: int


class Watch:
    """What a trigger with an absence remembers. ``remind`` is called for each state that begins to wait."""

    __slots__ = ("_changes", "_cooled", "_group", "_position", "_remind", "_seconds", "_slot", "_withdraw")

    def __init__(
        self,
        position: int,
        condition: Condition,
        slot: Slot,
        cooled: CoolDown | None,
        changes: Changes,
        remind: Remind,
        withdraw: Withdraw,
    ) -> None:
        config = condition.config
        if not isinstance(config, AbsenceConfig):
            raise ValueError(f"condition {condition.id} is no absence")
        self._position, self._slot, self._cooled, self._changes = position, slot, cooled, changes
        self._remind, self._withdraw = remind, withdraw
        self._seconds = config.window_seconds
        self._group = group_reader(condition.group_by)

    @property
    def slots(self) -> list[Slot]:
        """All slots in use."""
        return [self._slot] if self._cooled is None else [self._slot, self._cooled.slot]

    def meet(self, event: Event) -> None:
        """Take in an event that passed the filter; it fires nothing. One older than the last of its group is late."""
        group = self._group(event)
        if group is None:
            return
        key = f"{event.chain_id}:{group}"
        state = self._slot.groups.get(key)
        if isinstance(state, Silence):
            if event.block_timestamp < state.time:
                return
            if not state.told:  # it has its reminder, which will look further
                state.time, state.event = event.block_timestamp, kept(event)
                self._changes.add((self._slot, key))
                return
            if event.block_timestamp < state.time + self._seconds:
                self._undo(key, state)
        self._slot.groups[key] = Silence(event.block_timestamp, kept(event))
        self._changes.add((self._slot, key))
        self._remind(event.chain_id, event.block_timestamp + self._seconds, key)

    def remind_all(self) -> None:
        """Have every state that waits looked at: they were loaded."""
        for key, state in self._slot.groups.items():
            if isinstance(state, Silence) and not state.told:
                self._remind(_chain_of(key), state.time + self._seconds, key)

    def _undo(self, key: str, state: Silence) -> None:
        """The absence was told on a fork that the chain has left: no block time goes back on one that it keeps."""
        if self._cooled is not None:
            self._cooled.forget(key, state.time + self._seconds, state.fired_before)
        self._withdraw(state.event_id)

    def fall_due(
        self, key: str, time: int, clock_seq: int | None = None
    ) -> "tuple[str, dict[str, Computed], bool, Silenced] | None":
        """Tell the absence of that key if it is due at ``time``; one that is due later is looked at again then.

        ``clock_seq``: so far had the log come at that time; of later events, which may be of another fork, it says
        nothing.
        """
        state = self._slot.groups.get(key)
        if not isinstance(state, Silence) or state.told:
            return None
        due = state.time + self._seconds
        if due > time or (clock_seq is not None and state.seq > clock_seq):
            self._remind(_chain_of(key), due, key)
            return None
        return self._tell(key, state, due)

    def _tell(self, key: str, state: Silence, due: int) -> tuple[str, dict[str, Computed], bool, Silenced]:
        state.told, state.fired_before = True, None if self._cooled is None else self._cooled.last(key)
        self._changes.add((self._slot, key))
        computed: dict[str, Computed] = {str(self._position): {"since": rfc3339(state.time)}}
        cooled_down = self._cooled is not None and self._cooled.silences(key, due)
        return key.partition(":")[2], computed, cooled_down, Silenced(state.event, state.time, due)

    def believe(self, told: Collection[UUID]) -> set[UUID]:
        """Take absences for told, by their last events; those that are, and were not overtaken by another event."""
        found = set()
        for key, state in self._slot.groups.items():
            if isinstance(state, Silence) and (event_id := state.event_id) in told:
                found.add(event_id)
                if not state.told:
                    self._tell(key, state, state.time + self._seconds)
        return found


def _chain_of(key: str) -> int:
    return int(key.partition(":")[0])
