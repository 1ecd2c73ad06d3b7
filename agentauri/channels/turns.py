"""Deficit round robin between organizations, in seconds of slots (protocol P22).

Whose deliveries hold slots for long gets fewer turns than whose are done at once, so that competing organizations
get equal time, not equal counts. Nobody saves up turns while idle, and a debt is bounded, so that an hour of
hanging receivers is forgiven soon. Pure, and without a clock.
"""

from collections import deque
from collections.abc import Callable
from uuid import UUID

QUANTUM_SECONDS = 0.05
START_COST_SECONDS = 0.01
"""What a start costs at once; the rest follows when its real time is known."""
MAX_DEBT_SECONDS = 30.0


class Turns:
    """Who is served next among the organizations that have something to send."""

    def __init__(self) -> None:
        self._ring: deque[UUID] = deque()
        self._deficits: dict[UUID, float] = {}
        self._waiting: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, organization: UUID) -> None:
        """It has something to send."""
        if organization not in self._waiting:
            self._waiting.add(organization)
            self._ring.append(organization)
            self._deficits.setdefault(organization, 0.0)

    def leave(self, organization: UUID) -> None:
        """It has nothing to send now: what it saved is gone, what it owes stays."""
        if organization in self._waiting:
            self._waiting.remove(organization)
            self._ring.remove(organization)
            self._deficits[organization] = min(self._deficits[organization], 0.0)

    def forget(self, organization: UUID) -> None:
        """It has not been heard of for long."""
        self.leave(organization)
        self._deficits.pop(organization, None)

    def choose(self, may: Callable[[UUID], bool]) -> UUID | None:
        """The next one among those that ``may``, None if none may. It stays first until its deficit is used up."""
        for _ in range(len(self._ring) + 1):
            if not self._ring:
                return None
            if self._deficits[self._ring[0]] > 0 and may(self._ring[0]):
                return self._ring[0]
            self._ring.rotate(-1)
            if may(self._ring[0]):
                self._deficits[self._ring[0]] = min(self._deficits[self._ring[0]] + QUANTUM_SECONDS, QUANTUM_SECONDS)
        return self._leap(may)

    def _leap(self, may: Callable[[UUID], bool]) -> UUID | None:
        """All who may are in debt: do at once the rounds that it takes until the first one is not."""
        able = [organization for organization in self._ring if may(organization)]
        if not able:
            return None
        chosen = max(able, key=self._deficits.__getitem__)
        rounds = 1 + int(-self._deficits[chosen] / QUANTUM_SECONDS)
        for organization in able:
            self._deficits[organization] += rounds * QUANTUM_SECONDS
        while self._ring[0] != chosen:
            self._ring.rotate(-1)
        return chosen

    def charge(self, organization: UUID, seconds: float) -> None:
        """It used so many seconds of slots; a negative number gives some back."""
        owed = self._deficits.get(organization, 0.0) - seconds
        self._deficits[organization] = max(owed, -MAX_DEBT_SECONDS)
