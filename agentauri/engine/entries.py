"""The values of a window, by time or by number, in bounded memory, with the running result over them.

By time: the newest thousand are kept one by one, in the order of their times; of older ones, a sum goes on exactly in
the buckets of window.py, and every other function forgets them. By number: the last ones as the log has them.
"""

from bisect import bisect_right
from collections import deque

from agentauri.engine.number import dump_number, load_number, plus
from agentauri.engine.tally import Entry, Tally, make_tally
from agentauri.engine.window import RATE_BUCKETS, RATE_ENTRIES
from agentauri.models.stateful_config import Function
from agentauri.models.values import Number


def _dump(entry: Entry) -> object:
    return entry if isinstance(entry, str) else [dump_number(entry)]


def _load(stored: object) -> Entry:
    """Texts stand for themselves, numbers in a list, so that neither is taken for the other."""
    match stored:
        case str() as text:
            return text
        case [number]:
            return load_number(number)
    raise ValueError("this is no state of a window's values")


class LastEntries:
    """The last values of a group, in the order of the log."""

    __slots__ = ("_tally", "entries")

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self._tally: Tally | None = None

    def add(self, entry: Entry, most: int, function: Function) -> int:
        """Take in a value, let go the one that is too many, and return how many there are."""
        tally = self.tally(function)
        self.entries.append(entry)
        tally.add(entry)
        if len(self.entries) > most:
            tally.remove(self.entries.popleft())
        return len(self.entries)

    def tally(self, function: Function) -> Tally:
        """The running result; a state has one function as long as it lives."""
        if self._tally is None:
            self._tally = make_tally(function, self.entries)
        return self._tally

    def dump(self) -> object:
        """The values."""
        return [_dump(entry) for entry in self.entries]

    @classmethod
    def load(cls, stored: object) -> "LastEntries":
        """From the values."""
        if not isinstance(stored, list):
            raise ValueError("this is no state of last values")
        state = cls()
        state.entries.extend(_load(one) for one in stored)
        return state


class TimedEntries:
    """The values of events in (newest - length, newest], seconds since 1970."""

    __slots__ = ("_tally", "buckets", "entries", "older", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        """Of the newest entries, sorted; equal times as the log has them."""
        self.entries: list[Entry] = []
        """Beside ``times``."""
        self.buckets: list[tuple[int, int, Number]] = []
        """(newest time, count, sum) of older ones, by time."""
        self.older = 0
        """How many are in the buckets."""
        self._tally: Tally | None = None

    def add(self, time: int, entry: Entry, length: int, function: Function) -> int:
        """Take in an event's value, let go what has left the window, and return how many events are in it."""
        times, tally = self.times, self.tally(function)
        edge = max(time, times[-1] if times else time) - length
        if time > edge:
            place = bisect_right(times, time)
            times.insert(place, time)
            self.entries.insert(place, entry)
            tally.add(entry)
            if len(times) > RATE_ENTRIES:
                self._let_go_oldest(length, function, tally)
        if times[0] <= edge:
            gone = bisect_right(times, edge)
            for old in self.entries[:gone]:
                tally.remove(old)
            del times[:gone], self.entries[:gone]
        while self.buckets and self.buckets[0][0] <= edge:
            _, count, total = self.buckets.pop(0)
            self.older -= count
            tally.remove(total)
        return len(times) + self.older

    def _let_go_oldest(self, length: int, function: Function, tally: Tally) -> None:
        time, entry = self.times.pop(0), self.entries.pop(0)
        if function is not Function.SUM:
            tally.remove(entry)
            return
        number = time * RATE_BUCKETS // length
        place = bisect_right(self.buckets, number, key=lambda bucket: bucket[0] * RATE_BUCKETS // length)
        newest, count, total = self.buckets[place - 1] if place else (-1, 0, 0)
        if place and newest * RATE_BUCKETS // length == number:
            self.buckets[place - 1] = (max(newest, time), count + 1, plus(total, entry))
        else:
            self.buckets.insert(place, (time, 1, entry))
        self.older += 1

    def tally(self, function: Function) -> Tally:
        """The running result; a state has one function as long as it lives."""
        if self._tally is None:
            self._tally = make_tally(function, [*(total for _, _, total in self.buckets), *self.entries])
        return self._tally

    def dump(self) -> object:
        """[times, values, buckets]."""
        buckets = [[newest, count, dump_number(total)] for newest, count, total in self.buckets]
        return [self.times.copy(), [_dump(entry) for entry in self.entries], buckets]

    @classmethod
    def load(cls, stored: object) -> "TimedEntries":
        """From [times, values, buckets]."""
        match stored:
            case [list() as times, list() as entries, list() as buckets] if len(times) == len(entries):
                state = cls()
                state.times = [int(time) for time in times]
                state.entries = [_load(one) for one in entries]
                state.buckets = [(int(newest), int(count), load_number(total)) for newest, count, total in buckets]
                state.older = sum(count for _, count, _ in state.buckets)
                return state
        raise ValueError("this is no state of a window's values")
