"""Conditions that look at earlier events: moving averages and rates, with their state per group.

State is a function of the events alone (block time, never a clock), so a replay gives the same state, bit for bit.
It is small, and JSON carries it without loss: ``load`` undoes ``dump`` exactly. Whether an event may update a state
at all is decided by its trigger's filter before (engine/plan.py).
"""

from bisect import bisect_right, insort
from typing import Protocol

from agentauri.engine.compile import ORDERINGS
from agentauri.engine.read import number_reader
from agentauri.models.condition import Condition
from agentauri.models.condition_config import EmaConfig, RateConfig
from agentauri.models.event import Event
from agentauri.models.operators import Operator

EMA_TOLERANCE = 1e-9
"""Averages are doubles, and two doubles this close count as equal."""

RATE_ENTRIES = 1_000
"""Newest events of a window that are kept one by one; older ones are counted in buckets."""

RATE_BUCKETS = 256
"""Buckets to a window; one leaves with the newest event that it counts."""

Computed = dict[str, float | int]


class State(Protocol):
    """What is kept of one group's past."""

    def dump(self) -> object:
        """As JSON."""

    @classmethod
    def load(cls, stored: object) -> "State":
        """From what ``dump`` gave."""


class Average:
    """An exponential moving average and how many values are in it."""

    __slots__ = ("samples", "value")

    def __init__(self, value: float, samples: int) -> None:
        self.value, self.samples = value, samples

    def add(self, value: float, factor: float) -> None:
        """Take in a value with the weight ``factor``."""
        self.value = factor * value + (1 - factor) * self.value
        self.samples += 1

    def dump(self) -> object:
        """[value, samples]."""
        return [self.value, self.samples]

    @classmethod
    def load(cls, stored: object) -> "Average":
        """From [value, samples]."""
        match stored:
            case [float() | int() as value, int() as samples]:
                return cls(float(value), samples)
        raise ValueError("this is no state of a moving average")


class Window:
    """Times of events in (newest - length, newest], seconds since 1970."""

    __slots__ = ("buckets", "older", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        """The newest of them, sorted."""
        self.buckets: list[list[int]] = []
        """[newest time, count] of the others, by time."""
        self.older = 0
        """How many are in the buckets."""

    def add(self, time: int, length: int) -> int:
        """Take in an event, let go what has left the window, and return how many events are in it."""
        times = self.times
        edge = max(time, times[-1] if times else time) - length
        if time > edge:
            insort(times, time)
            if len(times) > RATE_ENTRIES:
                self._put_in_bucket(times.pop(0), length)
        if times[0] <= edge:
            del times[: bisect_right(times, edge)]
        while self.buckets and self.buckets[0][0] <= edge:
            self.older -= self.buckets.pop(0)[1]
        return len(times) + self.older

    def _put_in_bucket(self, time: int, length: int) -> None:
        number, buckets = time * RATE_BUCKETS // length, self.buckets
        place = bisect_right(buckets, number, key=lambda bucket: bucket[0] * RATE_BUCKETS // length)
        if place and buckets[place - 1][0] * RATE_BUCKETS // length == number:
            bucket = buckets[place - 1]
            bucket[0] = max(bucket[0], time)
            bucket[1] += 1
        else:
            buckets.insert(place, [time, 1])
        self.older += 1

    def dump(self) -> object:
        """[times, buckets]."""
        return [self.times.copy(), [bucket.copy() for bucket in self.buckets]]

    @classmethod
    def load(cls, stored: object) -> "Window":
        """From [times, buckets]."""
        match stored:
            case [list() as times, list() as buckets]:
                window = cls()
                window.times = [int(time) for time in times]
                window.buckets = [[int(newest), int(count)] for newest, count in buckets]
                window.older = sum(count for _, count in window.buckets)
                return window
        raise ValueError("this is no state of a rate's window")


class Mark:
    """That something is so for a group, and since when (seconds since 1970)."""

    __slots__ = ("time",)

    def __init__(self, time: int) -> None:
        self.time = time

    def dump(self) -> object:
        """The time."""
        return self.time

    @classmethod
    def load(cls, stored: object) -> "Mark":
        """From the time."""
        if not isinstance(stored, int):
            raise ValueError("this is no mark")
        return cls(stored)


class Slot:
    """The states of one condition (or of its trigger) by group. It outlives a version that leaves it as it is."""

    __slots__ = ("groups", "kind", "prefix")

    def __init__(self, prefix: str, kind: type[State]) -> None:
        self.prefix = prefix
        """Begins the keys of all its groups, and of no other slot's."""
        self.kind = kind
        self.groups: dict[str, State] = {}

    def dump(self, group: str) -> object:
        """The group's state as JSON, None where there is none."""
        state = self.groups.get(group)
        return None if state is None else state.dump()

    def load(self, group: str, stored: object) -> None:
        """Put back what ``dump`` gave. Raises ValueError where it is something else."""
        self.groups[group] = self.kind.load(stored)


class Part(Protocol):
    """One stateful condition of a trigger."""

    position: int
    """Its place among all conditions of the trigger."""
    slot: Slot

    @property
    def resets(self) -> bool:
        """Whether a firing empties the group's state."""

    def update(self, event: Event, group: str) -> tuple[bool, Computed] | None:
        """Take the event in: whether the condition holds now, and what it computed.

        None, and nothing changed, where the event lacks the field.
        """


class EmaPart:
    """``ema_threshold``."""

    __slots__ = ("_config", "_operator", "_read", "_threshold", "position", "slot")
    resets = False

    def __init__(self, position: int, slot: Slot, condition: Condition, config: EmaConfig) -> None:
        target, value = condition.target, condition.value
        if target is None or condition.operator is None or isinstance(value, (str, tuple)) or value is None:
            raise ValueError(f"condition {condition.id} is no ema_threshold")
        self.position, self.slot = position, slot
        self._config, self._operator, self._threshold = config, condition.operator, float(value)
        self._read = number_reader(target)

    def update(self, event: Event, group: str) -> tuple[bool, Computed] | None:
        """See Part."""
        number = self._read(event)
        if number is None:
            return None
        state = self.slot.groups.get(group)
        if isinstance(state, Average):
            state.add(float(number), self._config.factor)
        else:
            state = self.slot.groups[group] = Average(float(number), 1)
        enough = state.samples >= (self._config.min_samples or 1)
        return enough and compare_doubles(state.value, self._operator, self._threshold), {"ema": state.value}


def compare_doubles(left: float, operator: Operator, right: float) -> bool:
    """A comparison in which doubles within EMA_TOLERANCE are equal."""
    if abs(left - right) <= EMA_TOLERANCE:
        return operator in (Operator.EQ, Operator.LTE, Operator.GTE)
    return ORDERINGS[operator](left, right)


class RatePart:
    """``rate_limit``."""

    __slots__ = ("_config", "_operator", "_threshold", "position", "slot")

    def __init__(self, position: int, slot: Slot, condition: Condition, config: RateConfig) -> None:
        if condition.operator is None or not isinstance(condition.value, int):
            raise ValueError(f"condition {condition.id} is no rate_limit")
        self.position, self.slot = position, slot
        self._config, self._operator, self._threshold = config, condition.operator, condition.value

    @property
    def resets(self) -> bool:
        """See Part."""
        return bool(self._config.reset_on_trigger)

    def update(self, event: Event, group: str) -> tuple[bool, Computed] | None:
        """See Part."""
        state = self.slot.groups.get(group)
        if not isinstance(state, Window):
            state = self.slot.groups[group] = Window()
        count = state.add(event.block_timestamp, self._config.window_seconds)
        return ORDERINGS[self._operator](count, self._threshold), {"count": count}


def make_part(position: int, slot: Slot, condition: Condition) -> Part:
    """The part that a stateful condition compiles to. Raises ValueError for a stateless one."""
    match condition.config:
        case EmaConfig() as config:
            return EmaPart(position, slot, condition, config)
        case RateConfig() as config:
            return RatePart(position, slot, condition, config)
    raise ValueError(f"condition {condition.id} is not stateful")


def kind_of(condition: Condition) -> type[State]:
    """What a stateful condition keeps. Raises ValueError for a stateless one."""
    match condition.config:
        case EmaConfig():
            return Average
        case RateConfig():
            return Window
    raise ValueError(f"condition {condition.id} is not stateful")
