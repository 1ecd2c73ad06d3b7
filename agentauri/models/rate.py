"""What a rate limit is, how much of one is used, and what a decision about a request says. Pure arithmetic.

A bucket has two limits: a sliding window (the count of this window, and that of the one before in proportion to how
much of it still lies within the last ``window`` milliseconds), and GCRA for bursts, in its leaky-bucket form: a debt
that drains evenly. Everything is counted in whole numbers, so that Redis, Python and a test agree to the last unit:
time in milliseconds for windows, in microseconds for bursts, a debt in requests times microseconds.
"""

from dataclasses import dataclass
from typing import NamedTuple

MICROSECONDS = 1_000


class Bucket(NamedTuple):
    """One limit of one subject, and what this request would take of it. A named tuple: one is made per request."""

    subject: str
    """Whose bucket it is, in characters that a Redis key may have."""
    limit: int
    """Requests in any window."""
    window: int
    """Milliseconds of the window."""
    burst: int
    """Requests at once; never below ``cost``, or the request could never be let through."""
    refill: int
    """Milliseconds in which a spent burst comes back."""
    cost: int = 1


class Usage(NamedTuple):
    """How much of a bucket is used at the time of a decision, after what the decision took."""

    spent: int = 0
    """Requests in the window that contains now; windows begin at multiples of their length since 1970."""
    before: int = 0
    """Requests in the window before it."""
    debt: int = 0
    """What the burst has yet to get back, in requests times microseconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A bucket, its usage and the time: what of the limits is left, and when there will be more."""

    bucket: Bucket
    usage: Usage
    now: int
    """Milliseconds since 1970."""

    def remaining(self) -> int:
        """Requests that the window still has."""
        bucket, usage = self.bucket, self.usage
        elapsed = self.now % bucket.window
        used = usage.before * (bucket.window - elapsed) + usage.spent * bucket.window
        return max(0, (bucket.limit * bucket.window - used) // bucket.window)

    def burst_remaining(self) -> int:
        """Requests that may come at once."""
        refill = self.bucket.refill * MICROSECONDS
        return max(0, (self.bucket.burst * refill - self.usage.debt) // refill)

    def window_wait(self, units: int) -> int:
        """Milliseconds until ``units`` fit into the window, if nothing else comes; two windows when they never do."""
        limit, window = self.bucket.limit, self.bucket.window
        spent, before, _ = self.usage
        left = window - self.now % window
        if units > limit:
            return 2 * window
        if spent + units > limit:  # not before this window's own requests begin to fade
            return left - (window * (limit - spent - units)) // spent
        if before == 0:
            return 0
        return max(0, left - (limit - spent - units) * window // before)

    def burst_wait(self, units: int) -> int:
        """Milliseconds until ``units`` may come at once."""
        bucket, refill = self.bucket, self.bucket.refill * MICROSECONDS
        if bucket.burst == 0:
            return 2 * bucket.window
        return max(0, -(-(self.usage.debt + (units - bucket.burst) * refill) // (bucket.burst * MICROSECONDS)))

    def wait(self) -> int:
        """Milliseconds until a request like this one is let through."""
        return max(self.window_wait(self.bucket.cost), self.burst_wait(self.bucket.cost))

    def window_reset(self) -> int:
        """Milliseconds until the window has more than it has now; 0 when all of it is there."""
        remaining = self.remaining()
        return 0 if remaining >= self.bucket.limit else self.window_wait(remaining + 1)

    def burst_reset(self) -> int:
        """Milliseconds until the burst has more than it has now; 0 when all of it is there."""
        remaining = self.burst_remaining()
        return 0 if remaining >= self.bucket.burst else self.burst_wait(remaining + 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one request. A refused one has taken nothing of any bucket."""

    admitted: bool
    standings: tuple[Standing, ...]

    def tightest(self) -> Standing:
        """The bucket that a caller has to mind: the longest to wait for, else the one with the least left."""
        if len(self.standings) == 1:
            return self.standings[0]
        if not self.admitted:
            return max(self.standings, key=Standing.wait)
        return min(self.standings, key=lambda one: one.remaining() / max(1, one.bucket.limit))

    def retry_after(self) -> int:
        """Whole seconds until a refused request is worth another try; at least one."""
        return max(1, -(-max(one.wait() for one in self.standings) // 1000))
