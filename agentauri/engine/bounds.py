"""Items with bounds on one number, found by a value: those whose bounds it meets, without looking at the others.

Items with one bound stand sorted, so that a value's are found by bisection. Items with two stand in cells about as
wide as their range, so that a value looks into one cell of each width. What is found may lie just outside its
bounds; nothing that the value meets is missed: bounds and values are compared as doubles, which keep the order.
"""

from bisect import bisect_left, bisect_right
from math import floor, frexp
from typing import Generic, TypeVar

from agentauri.models.values import Number

T = TypeVar("T")

MERGED_AT_ONCE = 64
"""New items up to which each is inserted by itself; beyond, sorting all of them anew is cheaper."""

LEAST_LEVEL, MOST_LEVEL = -40, 340
"""Powers of two between which cells are wide: 1e-12 to beyond the largest number."""


class Sorted(Generic[T]):
    """Items by one bound each. Sorting waits until somebody asks, so that loading many costs one sort."""

    __slots__ = ("_bounds", "_items", "_new")

    def __init__(self) -> None:
        self._bounds: list[float] = []
        self._items: list[T] = []
        self._new: list[tuple[float, T]] = []

    def __len__(self) -> int:
        return len(self._items) + len(self._new)

    def add(self, bound: float, item: T) -> None:
        """Put an item in."""
        self._new.append((bound, item))

    def remove(self, bound: float, item: T) -> None:
        """Take an item out. Raises ValueError if it is not there."""
        self._merge()
        place = bisect_left(self._bounds, bound)
        while self._items[place] is not item:
            place += 1
        del self._bounds[place], self._items[place]

    def find_from(self, value: float, found: list[T]) -> None:
        """Add the items whose bound is at or above ``value`` to ``found``."""
        if self._new:
            self._merge()
        found += self._items[bisect_left(self._bounds, value) :]

    def find_to(self, value: float, found: list[T]) -> None:
        """Add the items whose bound is at or below ``value`` to ``found``."""
        if self._new:
            self._merge()
        found += self._items[: bisect_right(self._bounds, value)]

    def _merge(self) -> None:
        new, self._new = self._new, []
        if len(new) > MERGED_AT_ONCE:
            pairs = sorted([*zip(self._bounds, self._items, strict=True), *new], key=lambda pair: pair[0])
            self._bounds, self._items = [bound for bound, _ in pairs], [item for _, item in pairs]
            return
        for bound, item in new:
            place = bisect_right(self._bounds, bound)
            self._bounds.insert(place, bound)
            self._items.insert(place, item)


class Ranges(Generic[T]):
    """Items by two bounds each, in cells; an item spans two cells of its width's level at most."""

    __slots__ = ("_levels",)

    def __init__(self) -> None:
        self._levels: dict[int, dict[int, list[T]]] = {}

    def __len__(self) -> int:
        return len(self._levels)

    def add(self, low: float, high: float, item: T) -> None:
        """Put an item in."""
        level, numbers = _cells(low, high)
        cells = self._levels.setdefault(level, {})
        for number in numbers:
            cells.setdefault(number, []).append(item)

    def remove(self, low: float, high: float, item: T) -> None:
        """Take an item out. Raises KeyError or ValueError if it is not there."""
        level, numbers = _cells(low, high)
        cells = self._levels[level]
        for number in numbers:
            cells[number].remove(item)
            if not cells[number]:
                del cells[number]
        if not cells:
            del self._levels[level]

    def find(self, value: float, found: list[T]) -> None:
        """Add the items whose range may hold ``value`` to ``found``."""
        for level, cells in self._levels.items():
            found += cells.get(floor(value / 2.0**level), ())


def _cells(first: float, high: float) -> tuple[int, range]:
    last = max(first, high)
    level = frexp(last - first)[1] if last > first else LEAST_LEVEL
    level = min(max(level + level % 2, LEAST_LEVEL), MOST_LEVEL)
    size = 2.0**level
    return level, range(floor(first / size), floor(last / size) + 1)


class Bounded(Generic[T]):
    """Items whose bounds are on one number, however many each has."""

    __slots__ = ("_above", "_below", "_between")

    def __init__(self) -> None:
        self._below: Sorted[T] = Sorted()
        self._above: Sorted[T] = Sorted()
        self._between: Ranges[T] = Ranges()

    def __len__(self) -> int:
        return len(self._below) + len(self._above) + len(self._between)

    def add(self, low: Number | None, high: Number | None, item: T) -> None:
        """Put an item in, by one or both bounds."""
        if low is not None and high is not None:
            self._between.add(float(low), float(high), item)
        elif high is not None:
            self._below.add(float(high), item)
        elif low is not None:
            self._above.add(float(low), item)

    def remove(self, low: Number | None, high: Number | None, item: T) -> None:
        """Take an item out; the bounds are those that it came with."""
        if low is not None and high is not None:
            self._between.remove(float(low), float(high), item)
        elif high is not None:
            self._below.remove(float(high), item)
        elif low is not None:
            self._above.remove(float(low), item)

    def find(self, value: float, found: list[T]) -> None:
        """Add the items whose bounds ``value`` may meet to ``found``."""
        self._below.find_from(value, found)
        self._above.find_to(value, found)
        self._between.find(value, found)
