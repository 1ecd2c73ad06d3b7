"""A circuit breaker for one destination: stops knocking at a door behind which nobody answers (protocol P22).

Opens after ten failures of the destination in a row; then one probe at a time, after 30 s, doubling to 10 min. What
it holds back spends no attempt. Pure: time comes in as an argument, in seconds of any steady clock.
"""

OPENS_AFTER_FAILURES = 10
FIRST_PROBE_SECONDS = 30.0
LAST_PROBE_SECONDS = 600.0


class Breaker:
    """Closed at first."""

    __slots__ = ("_failures", "_open_until", "_pause", "_probing")

    def __init__(self) -> None:
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether only probes pass."""
        return self._pause > 0

    def ready_at(self) -> float | None:
        """When something may pass; a time in the past means now, None: not before the probe has ended."""
        return None if self._probing else self._open_until

    def started(self) -> None:
        """Something was let through at or after ``ready_at``."""
        self._probing = self.is_open

    def withdrawn(self) -> None:
        """What was let through was not sent after all."""
        self._probing = False

    def succeeded(self) -> None:
        """The destination answered, whatever it thinks of the delivery: closed."""
        self._failures = 0
        self._pause = self._open_until = 0.0
        self._probing = False

    def failed(self, now: float) -> None:
        """The destination did not answer. Failures of what was under way when it opened change nothing."""
        self._failures += 1
        if self._probing:
            self._open(now, min(2 * self._pause, LAST_PROBE_SECONDS))
        elif not self.is_open and self._failures >= OPENS_AFTER_FAILURES:
            self._open(now, FIRST_PROBE_SECONDS)

    def _open(self, now: float, pause: float) -> None:
        self._pause = pause
        self._open_until = now + pause
        self._probing = False
