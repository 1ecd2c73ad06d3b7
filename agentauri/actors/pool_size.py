"""How many deliverers there should be: by the deliveries that are due and move, and by the slots in use.

Rows that wait for a dead receiver's breaker, or for tomorrow, ask for nobody: more deliverers would not send them.
Growing takes a few beats of the same wish, so that a burst that one deliverer works off starts no process; shrinking
takes minutes in which fewer would have done with room to spare, one at a time. Pure; a beat is a second or so.
"""

from dataclasses import dataclass

DUE_PER_DELIVERER = 2_000
"""Due rows that one deliverer is expected to have before it: half a second to a second of its work."""
MOVING_PER_SECOND = 50.0
"""Attempts a second, all deliverers together, below which due rows are held up by receivers and not by us."""
BUSY_SHARE = 0.75
"""Of a deliverer's slots in use, beyond which it counts as full."""
SPARE_SHARE = 0.8
"""What is left to fewer deliverers has to fill at most so much of them, or the next beat would ask for one again."""
GROW_BEATS = 3
SHRINK_BEATS = 120


@dataclass(frozen=True, slots=True)
class Load:
    """What deliverers have to do: rows due now, slots in use and in all, attempts finished a second."""

    due: int
    in_flight: int
    slots: int
    finished_per_second: float

    def wanted(self, now: int) -> float:
        """How many deliverers it would fill, while there are ``now``."""
        by_slots = self.in_flight / (BUSY_SHARE * self.slots / now) if self.slots else 0.0
        is_moving = self.finished_per_second >= MOVING_PER_SECOND
        return max(by_slots, self.due / DUE_PER_DELIVERER if is_moving else 0.0)


class PoolSize:
    """The size, from ``least`` to ``most``; ``size`` is what there is at the start."""

    def __init__(self, least: int, most: int, size: int) -> None:
        self._least, self._most = least, max(least, most)
        self.size = self._within(size)
        self._more = 0
        self._fewer = 0

    def beat(self, load: Load) -> int:
        """The size after one more beat with this load."""
        wanted = load.wanted(self.size)
        self._more = self._more + 1 if self._within(_up(wanted)) > self.size else 0
        self._fewer = self._fewer + 1 if self._within(_up(wanted / SPARE_SHARE)) < self.size else 0
        if self._more >= GROW_BEATS:
            self.size = self._within(min(_up(wanted), 2 * self.size))
            self._more = 0
        elif self._fewer >= SHRINK_BEATS:
            self.size -= 1
            self._fewer = 0
        return self.size

    def _within(self, count: int) -> int:
        return min(self._most, max(self._least, count))


def _up(count: float) -> int:
    return -int(-count // 1)
