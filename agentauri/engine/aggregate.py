"""``window_aggregate``: a function of the values that a group's events had lately."""

from agentauri.engine.entries import LastEntries, TimedEntries
from agentauri.engine.part import Computed, comparison, shown
from agentauri.engine.read import Read, key_reader, reader
from agentauri.engine.state import Slot
from agentauri.engine.window import Window
from agentauri.models.condition import Condition
from agentauri.models.event import Event
from agentauri.models.stateful_config import AggregateConfig, Function

DOUBLES = frozenset({Function.AVG, Function.STDDEV, Function.P50, Function.P95, Function.P99})
"""Functions whose results are doubles."""


class AggregatePart:
    """``window_aggregate``, but for counts by time."""

    __slots__ = ("_compares", "_config", "_read", "position", "slot")
    resets = False

    def __init__(self, position: int, slot: Slot, condition: Condition, config: AggregateConfig) -> None:
        self.position, self.slot, self._config = position, slot, config
        self._read = _entry_reader(condition, config)
        self._compares = comparison(condition, doubles=config.function in DOUBLES)

    def update(self, event: Event, group: str) -> tuple[bool, Computed] | None:
        """See Part."""
        entry = self._read(event)
        if entry is None:
            return None
        config, state = self._config, self.slot.groups.get(group)
        if config.window_seconds is not None:
            if not isinstance(state, TimedEntries):
                state = self.slot.groups[group] = TimedEntries()
            count = state.add(event.block_timestamp, entry, config.window_seconds, config.function)
        else:
            if not isinstance(state, LastEntries):
                state = self.slot.groups[group] = LastEntries()
            count = state.add(entry, config.last_n or 1, config.function)
        result = state.tally(config.function).result(count)
        enough = count >= (config.min_samples or 1)
        return enough and self._compares(result), {"aggregate": shown(result)}


class CountPart:
    """``window_aggregate`` that counts by time: a rate with another name, over events that have the field."""

    __slots__ = ("_compares", "_config", "_read", "position", "slot")
    resets = False

    def __init__(self, position: int, slot: Slot, condition: Condition, config: AggregateConfig) -> None:
        self.position, self.slot, self._config = position, slot, config
        self._read = _entry_reader(condition, config)
        self._compares = comparison(condition)

    def update(self, event: Event, group: str) -> tuple[bool, Computed] | None:
        """See Part."""
        if self._read(event) is None:
            return None
        state = self.slot.groups.get(group)
        if not isinstance(state, Window):
            state = self.slot.groups[group] = Window()
        count = state.add(event.block_timestamp, self._config.window_seconds or 1)
        return count >= (self._config.min_samples or 1) and self._compares(count), {"aggregate": count}


def _entry_reader(condition: Condition, config: AggregateConfig) -> Read:
    """What an event puts into the window; None where it lacks the field."""
    if condition.target is None:
        return lambda event: 0
    read = reader(condition.target)
    match config.function:
        case Function.COUNT:
            return lambda event: None if read(event) is None else 0
        case Function.DISTINCT:
            return key_reader(condition.target)
    return read
