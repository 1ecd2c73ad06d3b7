"""What is remembered of earlier events, by condition and group; windows stand in window.py.

State is a function of the events alone (block time, never a clock), so a replay gives the same state, bit for bit.
It is small, and JSON carries it without loss: ``load`` undoes ``dump`` exactly.
"""

from typing import Protocol

from agentauri.engine.number import dump_number, load_number
from agentauri.models.values import Number


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


class Previous:
    """The value that an event before had."""

    __slots__ = ("value",)

    def __init__(self, value: Number) -> None:
        self.value = value

    def dump(self) -> object:
        """The value in a list."""
        return [dump_number(self.value)]

    @classmethod
    def load(cls, stored: object) -> "Previous":
        """From the value in a list."""
        match stored:
            case [value]:
                return cls(load_number(value))
        raise ValueError("this is no state of a previous value")


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


Changes = set[tuple[Slot, str]]
"""Slots and groups whose state was touched."""
