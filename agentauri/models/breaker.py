"""The circuit breaker of a trigger: when its deliveries are not sent, and how it finds out that they may be again.

It counts consecutive deliveries that failed finally or three times over; at its threshold it opens. Whether it is open
or half open follows from ``opened_at`` and the time alone, so nothing has to happen for it to become half open. A
probe counts for the opening that let it through and for no other. Pure: the store keeps it, deliveries report to it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

FAILED_TURNS = 3
"""A delivery that failed so often counts as failed, whatever becomes of it later."""
MAX_FAILURE_THRESHOLD = 1_000
MIN_RECOVERY_SECONDS = 60
MAX_RECOVERY_SECONDS = 604_800
MAX_HALF_OPEN_CALLS = 10


class BreakerState(StrEnum):
    """Closed sends, open suppresses, half open lets a few through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """What an organization can set of it."""

    failure_threshold: int = 10
    recovery_timeout_seconds: int = 3_600
    half_open_max_calls: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt says of its trigger. ``counts``: the delivery failed finally with it, or for the third time.

    ``probe_made_at`` is when a probe was let through; None: it is no probe, or not its first attempt.
    """

    trigger_id: UUID
    succeeded: bool
    counts: bool = False
    probe_made_at: datetime | None = None

    @property
    def is_heard(self) -> bool:
        """Whether it can change a breaker that nothing is known of."""
        return self.counts or self.probe_made_at is not None


@dataclass(frozen=True, slots=True)
class Breaker:
    """A breaker at rest."""

    failure_count: int = 0
    opened_at: datetime | None = None
    last_failure_at: datetime | None = None
    config: BreakerConfig = field(default_factory=BreakerConfig)

    def state(self, now: datetime) -> BreakerState:
        """What it does with what fires ``now``."""
        if self.opened_at is None:
            return BreakerState.CLOSED
        is_over = now >= self.opened_at + timedelta(seconds=self.config.recovery_timeout_seconds)
        return BreakerState.HALF_OPEN if is_over else BreakerState.OPEN

    def judged(self, verdict: Verdict, now: datetime) -> "Breaker":
        """As it is after an attempt. An open one listens to its own probes alone."""
        if self.opened_at is None:
            return self._counted(verdict, now)
        made_at = verdict.probe_made_at
        if made_at is None or made_at <= self.opened_at:
            return self
        return self.reset() if verdict.succeeded else self._failed(now).opened(now)

    def _counted(self, verdict: Verdict, now: datetime) -> "Breaker":
        if verdict.succeeded:
            return replace(self, failure_count=0)
        if not verdict.counts:
            return self
        failed = self._failed(now)
        return failed.opened(now) if failed.failure_count >= self.config.failure_threshold else failed

    def _failed(self, now: datetime) -> "Breaker":
        return replace(self, failure_count=self.failure_count + 1, last_failure_at=now)

    def opened(self, now: datetime) -> "Breaker":
        """Open from ``now`` on."""
        return replace(self, opened_at=now)

    def reset(self) -> "Breaker":
        """Closed, and nothing counted."""
        return replace(self, failure_count=0, opened_at=None)


def counts(*, turn: int, is_last: bool) -> bool:
    """Whether a failed attempt is the one with which its delivery counts as failed; it counts once."""
    return turn == FAILED_TURNS or (is_last and turn < FAILED_TURNS)
