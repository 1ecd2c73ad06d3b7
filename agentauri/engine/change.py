"""``change``: an event's value beside the one before it, in the order of the log."""

from collections.abc import Callable

from agentauri.engine.compile import ORDERINGS
from agentauri.engine.number import minus, size, times
from agentauri.engine.part import Computed, shown, threshold_of
from agentauri.engine.read import number_reader
from agentauri.engine.state import Previous, Slot
from agentauri.models.condition import Condition
from agentauri.models.event import Event
from agentauri.models.operators import Operator
from agentauri.models.stateful_config import ChangeConfig, ChangeMode
from agentauri.models.values import Number


class ChangePart:
    """``change``."""

    __slots__ = ("_holds", "_read", "position", "slot")
    resets = False

    def __init__(self, position: int, slot: Slot, condition: Condition, config: ChangeConfig) -> None:
        if condition.target is None:
            raise ValueError(f"condition {condition.id} is no change")
        self.position, self.slot = position, slot
        self._read = number_reader(condition.target)
        self._holds = _change(condition, config)

    def update(self, event: Event, group: str) -> tuple[bool, Computed] | None:
        """See Part. The first value of a group has nothing to be compared with: false."""
        value = self._read(event)
        if value is None:
            return None
        state = self.slot.groups.get(group)
        if not isinstance(state, Previous):
            self.slot.groups[group] = Previous(value)
            return False, {}
        previous, state.value = state.value, value
        return self._holds(previous, value), {"previous": shown(previous)}


def _change(condition: Condition, config: ChangeConfig) -> Callable[[Number, Number], bool]:
    """Whether the step from one value to the next is one that is meant; all of it exact."""
    value = threshold_of(condition)
    if condition.operator is Operator.CROSSES_ABOVE:
        return lambda previous, new: previous <= value < new
    if condition.operator is Operator.CROSSES_BELOW:
        return lambda previous, new: previous >= value > new
    if condition.operator is None:
        raise ValueError(f"condition {condition.id} has no comparison")
    holds = ORDERINGS[condition.operator]
    if config.mode is ChangeMode.PERCENT:  # multiplied by what percent would divide by, so that nothing is rounded
        return lambda previous, new: (
            previous != 0 and holds(times(100, minus(new, previous)), times(value, size(previous)))
        )
    return lambda previous, new: holds(minus(new, previous), value)
