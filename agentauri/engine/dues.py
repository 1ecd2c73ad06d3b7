"""Which absences fall due when, by chain: the one place where time alone makes a trigger fire.

An entry is a hint: it says when to look at a state, not what will be found there. A state that is waiting has one
entry, put again when an event has moved it on; so what is taken is looked at, not believed.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple
from uuid import UUID


class Due(NamedTuple):
    """When to look (seconds since 1970), a number that orders equal times, and where to look."""

    time: int
    serial: int
    trigger_id: UUID
    key: str


class Dues:
    """Entries of all chains and partitions. ``first`` has the earliest time of each chain that has any."""

    def __init__(self) -> None:
        self.first: dict[int, int] = {}
        self._heaps: dict[int, dict[int, list[Due]]] = {}
        """By chain, then by partition."""
        self._serial = 0

    def put(self, partition: int, trigger_id: UUID, chain_id: int, time: int, key: str) -> None:
        """Look at that state at that time."""
        self._serial += 1
        heap = self._heaps.setdefault(chain_id, {}).setdefault(partition, [])
        heappush(heap, Due(time, self._serial, trigger_id, key))
        self.first[chain_id] = min(time, self.first.get(chain_id, time))

    def take(self, chain_id: int, time: int, is_meant: Callable[[int], bool]) -> list[Due]:
        """Take out the entries of a chain up to a time, in the partitions that are meant."""
        taken: list[Due] = []
        for partition, heap in self._heaps.get(chain_id, {}).items():
            while heap and heap[0].time <= time and is_meant(partition):
                taken.append(heappop(heap))
        self._look_anew(chain_id)
        return taken

    def drop(self, partition: int) -> None:
        """Forget the entries of a partition."""
        for chain_id, heaps in self._heaps.items():
            heaps.pop(partition, None)
            self._look_anew(chain_id)

    def _look_anew(self, chain_id: int) -> None:
        earliest = [heap[0].time for heap in self._heaps.get(chain_id, {}).values() if heap]
        if earliest:
            self.first[chain_id] = min(earliest)
        else:
            self.first.pop(chain_id, None)
