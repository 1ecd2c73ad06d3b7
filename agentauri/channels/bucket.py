"""A token bucket: at most so many starts a second, evenly. Pure: time comes in as an argument, in seconds."""

BURST_SECONDS = 0.1
"""How much of a second's tokens may be taken at once; at least one token."""


class TokenBucket:
    """Full at first. ``rate`` is in tokens a second."""

    __slots__ = ("_at", "_capacity", "_tokens", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._capacity = max(1.0, rate * BURST_SECONDS)
        self._tokens = self._capacity
        self._at = now

    def available(self, now: float) -> int:
        """How many tokens can be taken now."""
        if now > self._at:
            self._tokens = min(self._capacity, self._tokens + (now - self._at) * self.rate)
            self._at = now
        return int(self._tokens + 1e-9)

    def take(self, count: int) -> None:
        """Take tokens that ``available`` has shown; a negative count gives them back."""
        self._tokens = min(self._capacity, self._tokens - count)

    def ready_at(self) -> float:
        """When there is a whole token."""
        return self._at + max(0.0, 1.0 - self._tokens) / self.rate
