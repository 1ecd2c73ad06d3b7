"""What a window comes to: one small running result for each function, fed as entries come and go.

Sums, least and greatest values, and counts are exact; averages, deviations and percentiles are doubles made of exact
sums, so that a result never depends on the way that led to it. A tally is made anew of a window's entries at need.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Any, Protocol, assert_never

from agentauri.engine.number import deviation, minus, plus, quotient, settled, times
from agentauri.models.stateful_config import Function
from agentauri.models.values import Number

Entry = Any
"""A number; for distinct, the text that stands for the value."""

PERCENT = {Function.P50: 50, Function.P95: 95, Function.P99: 99}


class Tally(Protocol):
    """The running result over the entries of a window."""

    def add(self, entry: Entry) -> None:
        """An entry came."""

    def remove(self, entry: Entry) -> None:
        """An entry went."""

    def result(self, count: int) -> Number | float:
        """What ``count`` entries, at least one, come to."""


class Count:
    """How many there are."""

    def add(self, entry: Entry) -> None:
        """See Tally."""

    def remove(self, entry: Entry) -> None:
        """See Tally."""

    def result(self, count: int) -> Number | float:
        """See Tally."""
        return count


class Sum:
    """The exact sum, and with ``mean`` the average."""

    __slots__ = ("_mean", "_total")

    def __init__(self, *, mean: bool = False) -> None:
        self._mean = mean
        self._total: Number = 0

    def add(self, entry: Entry) -> None:
        """See Tally."""
        self._total = plus(self._total, entry)

    def remove(self, entry: Entry) -> None:
        """See Tally."""
        self._total = minus(self._total, entry)

    def result(self, count: int) -> Number | float:
        """See Tally."""
        return quotient(self._total, count) if self._mean else settled(self._total)


class Deviation:
    """The population's standard deviation."""

    __slots__ = ("_squares", "_total")

    def __init__(self) -> None:
        self._total: Number = 0
        self._squares: Number = 0

    def add(self, entry: Entry) -> None:
        """See Tally."""
        self._total, self._squares = plus(self._total, entry), plus(self._squares, times(entry, entry))

    def remove(self, entry: Entry) -> None:
        """See Tally."""
        self._total, self._squares = minus(self._total, entry), minus(self._squares, times(entry, entry))

    def result(self, count: int) -> Number | float:
        """See Tally."""
        return deviation(self._total, self._squares, count)


class Ranked:
    """The value at a rank: the least, the greatest, or a percentile by nearest rank."""

    __slots__ = ("_function", "_sorted")

    def __init__(self, function: Function) -> None:
        self._function = function
        self._sorted: list[Number] = []

    def add(self, entry: Entry) -> None:
        """See Tally."""
        insort(self._sorted, entry)

    def remove(self, entry: Entry) -> None:
        """See Tally."""
        del self._sorted[bisect_left(self._sorted, entry)]

    def result(self, count: int) -> Number | float:
        """See Tally."""
        if self._function is Function.MIN:
            return self._sorted[0]
        if self._function is Function.MAX:
            return self._sorted[-1]
        return float(self._sorted[-(-PERCENT[self._function] * count // 100) - 1])


class Distinct:
    """How many different values there are."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[Entry, int] = {}

    def add(self, entry: Entry) -> None:
        """See Tally."""
        self._counts[entry] = self._counts.get(entry, 0) + 1

    def remove(self, entry: Entry) -> None:
        """See Tally."""
        left = self._counts.pop(entry) - 1
        if left:
            self._counts[entry] = left

    def result(self, count: int) -> Number | float:
        """See Tally."""
        return len(self._counts)


def make_tally(function: Function, entries: Iterable[Entry] = ()) -> Tally:
    """The function's tally over ``entries``."""
    tally = _empty(function)
    for entry in entries:
        tally.add(entry)
    return tally


def _empty(function: Function) -> Tally:
    match function:
        case Function.COUNT:
            return Count()
        case Function.SUM:
            return Sum()
        case Function.AVG:
            return Sum(mean=True)
        case Function.STDDEV:
            return Deviation()
        case Function.MIN | Function.MAX | Function.P50 | Function.P95 | Function.P99:
            return Ranked(function)
        case Function.DISTINCT:
            return Distinct()
        case _ as never:
            assert_never(never)
