"""What happened lately in a group: events within a length of time of the newest, in bounded memory.

Entries are kept one by one up to a thousand; older ones are counted in buckets of 1/256 of the window, which leave
whole with the newest event that they count.
"""

from bisect import bisect_right, insort

RATE_ENTRIES = 1_000
"""Newest events of a window that are kept one by one; older ones are counted in buckets."""

RATE_BUCKETS = 256
"""Buckets to a window; one leaves with the newest event that it counts."""


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
