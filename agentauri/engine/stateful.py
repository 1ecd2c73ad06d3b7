"""Stateful conditions: averages and rates, and which class each type compiles to.

What they remember stands in state.py, window.py and entries.py. Whether an event may update a state at all is
decided by its trigger's filter before (engine/plan.py). absence is driven by time besides: silence.py.
"""

from agentauri.engine.aggregate import AggregatePart, CountPart
from agentauri.engine.change import ChangePart
from agentauri.engine.compile import ORDERINGS
from agentauri.engine.entries import LastEntries, TimedEntries
from agentauri.engine.part import Computed, Part, compare_doubles
from agentauri.engine.read import number_reader
from agentauri.engine.silence import Silence
from agentauri.engine.state import Average, Previous, Slot, State
from agentauri.engine.window import Window
from agentauri.models.condition import Condition
from agentauri.models.event import Event
from agentauri.models.stateful_config import (
    AbsenceConfig,
    AggregateConfig,
    ChangeConfig,
    EmaConfig,
    Function,
    RateConfig,
)


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
    """The part that a stateful condition compiles to. Raises ValueError for a stateless one, and for absence."""
    match condition.config:
        case EmaConfig() as config:
            return EmaPart(position, slot, condition, config)
        case RateConfig() as config:
            return RatePart(position, slot, condition, config)
        case AggregateConfig() as config:
            make = CountPart if kind_of(condition) is Window else AggregatePart
            return make(position, slot, condition, config)
        case ChangeConfig() as config:
            return ChangePart(position, slot, condition, config)
    raise ValueError(f"condition {condition.id} is not stateful")


def kind_of(condition: Condition) -> type[State]:
    """What a stateful condition keeps. Raises ValueError for a stateless one."""
    match condition.config:
        case EmaConfig():
            return Average
        case RateConfig():
            return Window
        case AggregateConfig(window_seconds=None):
            return LastEntries
        case AggregateConfig() as config:
            return Window if config.function is Function.COUNT else TimedEntries
        case ChangeConfig():
            return Previous
        case AbsenceConfig():
            return Silence
    raise ValueError(f"condition {condition.id} is not stateful")
