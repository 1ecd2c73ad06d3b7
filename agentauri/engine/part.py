"""What every stateful condition of a trigger can do, and how what it came to is compared and shown."""

from collections.abc import Callable
from typing import Protocol

from agentauri.engine.compile import ORDERINGS
from agentauri.engine.state import Slot
from agentauri.models.condition import Condition
from agentauri.models.event import Event
from agentauri.models.operators import Operator
from agentauri.models.values import Number, wire_scalar

TOLERANCE = 1e-9
"""Averages and their like are doubles, and two doubles this close count as equal."""

Computed = dict[str, object]
"""What templates show of a condition; exact numbers as JSON carries them."""


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


def threshold_of(condition: Condition) -> Number:
    """The number that the condition compares with. Raises ValueError where it has none."""
    value = condition.value
    if value is None or isinstance(value, (str, tuple)):
        raise ValueError(f"condition {condition.id} has no number to compare with")
    return value


def comparison(condition: Condition, *, doubles: bool = False) -> Callable[[Number | float], bool]:
    """The condition's comparison of a result. Raises ValueError where it has none."""
    operator, threshold = condition.operator, threshold_of(condition)
    if operator is None or operator not in ORDERINGS:
        raise ValueError(f"condition {condition.id} has no comparison")
    if doubles:
        bound = float(threshold)
        return lambda result: compare_doubles(float(result), operator, bound)
    holds = ORDERINGS[operator]
    return lambda result: holds(result, threshold)


def compare_doubles(left: float, operator: Operator, right: float) -> bool:
    """A comparison in which doubles within TOLERANCE are equal."""
    if abs(left - right) <= TOLERANCE:
        return operator in (Operator.EQ, Operator.LTE, Operator.GTE)
    return ORDERINGS[operator](left, right)


def shown(result: Number | float) -> object:
    """A result as JSON carries it: a number, or its text where a double would lose digits."""
    return result if isinstance(result, float) else wire_scalar(None, result)
