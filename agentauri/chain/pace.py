"""How fast one provider may be asked: a steady rate with a small burst, and the wait after failures.

Pure: the time comes in, in seconds of any steady clock. Nothing here sleeps.
"""

DEFAULT_PER_SECOND = 50.0
"""What most providers allow without a contract; a batch counts by its calls."""
BURST_SECONDS = 2.0
"""So much of the rate may be used at once after a pause."""
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 10.0
"""Short enough that a provider without a substitute is missed for no longer when it is back."""


class Pace:
    """Requests a second that a provider allows; infinity for one that may be asked as fast as it answers."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1.0 / per_second
        self._paid_until = 0.0

    def reserve(self, count: int, now: float) -> float:
        """Take ``count`` requests; the seconds to wait before they may be sent."""
        wait = max(0.0, self._paid_until - now - BURST_SECONDS)
        self._paid_until = max(self._paid_until, now) + count * self._interval
        return wait


def backoff(failures: int, fraction: float) -> float:
    """Seconds to leave a provider alone after so many failures in a row.

    ``fraction`` in [0, 1] spreads the second half of the wait, so that nobody returns in step with others.
    """
    full = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16), MAX_BACKOFF_SECONDS)
    return full * (0.5 + 0.5 * fraction)
