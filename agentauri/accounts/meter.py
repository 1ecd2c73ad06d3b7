"""Counts rate limits in this process while Redis is away: the same limits and arithmetic, for this replica alone.

Bounded: of more subjects than ENTRIES the one that was seen longest ago is forgotten, and with it what it used.
Pure: time comes in as an argument, in microseconds since 1970, and may step back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agentauri.models.rate import MICROSECONDS, Bucket, Decision, Standing, Usage

ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class _Kept:
    at: int
    start: int
    usage: Usage


class Meter:
    """The buckets of one process."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._kept: dict[str, _Kept] = {}

    def decide(self, buckets: Sequence[Bucket], now: int) -> Decision:
        """Decide about one request: all buckets are checked before any is spent."""
        kept = [self._kept.get(bucket.subject) for bucket in buckets]
        now = max([now, *(one.at for one in kept if one is not None)])
        at = now // MICROSECONDS
        standings = [Standing(bucket, _faded(bucket, one, now), at) for bucket, one in zip(buckets, kept, strict=True)]
        if any(standing.wait() > 0 for standing in standings):
            return Decision(False, tuple(standings))
        return Decision(True, tuple(self._spend(standing, now) for standing in standings))

    def _spend(self, standing: Standing, now: int) -> Standing:
        bucket, (spent, before, debt) = standing.bucket, standing.usage
        usage = Usage(spent + bucket.cost, before, debt + bucket.cost * bucket.refill * MICROSECONDS)
        self._kept.pop(bucket.subject, None)
        while len(self._kept) >= self._entries:
            del self._kept[next(iter(self._kept))]
        self._kept[bucket.subject] = _Kept(now, standing.now - standing.now % bucket.window, usage)
        return Standing(bucket, usage, standing.now)


def _faded(bucket: Bucket, kept: _Kept | None, now: int) -> Usage:
    """What is still used of a bucket at ``now``."""
    if kept is None:
        return Usage()
    ms = now // MICROSECONDS
    start = ms - ms % bucket.window
    debt = max(0, kept.usage.debt - (now - kept.at) * bucket.burst)
    if kept.start == start:
        return Usage(kept.usage.spent, kept.usage.before, debt)
    return Usage(0, kept.usage.spent if kept.start == start - bucket.window else 0, debt)
