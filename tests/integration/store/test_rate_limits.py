"""Rate limits in a real Valkey, against a model that remembers every request."""

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from agentauri.accounts.meter import Meter
from agentauri.models.rate import Bucket, Decision
from agentauri.store.checkpoints import connect
from agentauri.store.rate_limits import RateLimits

HOUR, MINUTE = 3_600_000, 60_000
NOW = 1_800_000_000_000_000
"""The beginning of an hour, in microseconds."""
SECOND = 1_000_000


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def limits(redis_url: str) -> AsyncIterator[RateLimits]:
    opened = RateLimits.open(redis_url, "agentauri:t")
    yield opened
    await opened.close()


def bucket(subject: str = "ip:a", limit: int = 60, burst: int = 20, cost: int = 1) -> Bucket:
    return Bucket(subject, limit, HOUR, burst, MINUTE, cost)


async def ask(limits: RateLimits, *buckets: Bucket, now: int | None = None) -> Decision:
    return await limits.decide(buckets, slot="s", seconds=5.0, now=now)


async def test_burst_is_let_through_and_no_more(limits: RateLimits) -> None:
    answers = [(await ask(limits, bucket(), now=NOW)).admitted for _ in range(22)]
    assert answers == [True] * 20 + [False] * 2


async def test_burst_comes_back_evenly(limits: RateLimits) -> None:
    for _ in range(20):
        await ask(limits, bucket(), now=NOW)
    early = await ask(limits, bucket(), now=NOW + 3 * SECOND - 1)
    assert (early.admitted, early.retry_after()) == (False, 1)
    assert (await ask(limits, bucket(), now=NOW + 3 * SECOND)).admitted
    assert not (await ask(limits, bucket(), now=NOW + 3 * SECOND)).admitted


async def test_hours_quota_slides(limits: RateLimits) -> None:
    wide = bucket(limit=60, burst=1000)
    half = NOW + HOUR // 2 * 1000
    for _ in range(60):
        assert (await ask(limits, wide, now=half)).admitted
    assert not (await ask(limits, wide, now=NOW + HOUR * 1000)).admitted
    refused = await ask(limits, wide, now=half)
    assert refused.standings[0].wait() == HOUR // 2 + HOUR // 60
    assert (await ask(limits, wide, now=half + refused.standings[0].wait() * 1000)).admitted
    assert sum([(await ask(limits, wide, now=NOW + HOUR * 1500)).admitted for _ in range(60)]) == 29


async def test_refused_request_takes_nothing_of_any_bucket(limits: RateLimits) -> None:
    scarce = bucket("account:a", limit=1, burst=1)
    assert (await ask(limits, bucket(), scarce, now=NOW)).admitted
    for _ in range(10):
        assert not (await ask(limits, bucket(), scarce, now=NOW)).admitted
        assert not (await ask(limits, scarce, bucket(), now=NOW)).admitted
    left = (await ask(limits, bucket(), now=NOW)).standings[0]
    assert (left.remaining(), left.burst_remaining()) == (58, 18)


async def test_exactly_the_burst_of_100_at_once_is_let_through(limits: RateLimits, redis_url: str) -> None:
    other = RateLimits.open(redis_url, "agentauri:t")
    answers = await asyncio.gather(*(ask(one, bucket(burst=37), now=NOW) for _ in range(50) for one in (limits, other)))
    await other.close()
    assert sum(answer.admitted for answer in answers) == 37


async def test_without_a_time_the_clock_of_redis_counts(limits: RateLimits, redis: Redis) -> None:
    seconds, _ = await redis.time()
    decision = await ask(limits, bucket())
    assert 0 <= decision.standings[0].now - seconds * 1000 < 10_000


async def test_clock_that_steps_back_gives_nothing_back(limits: RateLimits) -> None:
    for _ in range(20):
        await ask(limits, bucket(), now=NOW)
    assert not (await ask(limits, bucket(), now=NOW - 10 * MINUTE * 1000)).admitted


async def test_keys_go_when_their_window_has_passed(limits: RateLimits, redis: Redis) -> None:
    await ask(limits, bucket(), bucket("account:b"))
    keys = await redis.keys()
    assert sorted(keys) == [b"{agentauri:t:rate:s}:account:b", b"{agentauri:t:rate:s}:ip:a"]
    assert all([HOUR - 1000 <= await redis.pttl(key) <= 2 * HOUR for key in keys])


async def test_larger_limit_counts_what_was_used_under_the_smaller(limits: RateLimits) -> None:
    for _ in range(10):
        await ask(limits, bucket(), now=NOW)
    left = (await ask(limits, bucket(limit=600, burst=60), now=NOW)).standings[0]
    assert (left.remaining(), left.burst_remaining()) == (589, 49)


async def test_cost_counts_as_so_many_requests(limits: RateLimits) -> None:
    assert (await ask(limits, bucket(cost=10), now=NOW)).standings[0].remaining() == 50
    assert (await ask(limits, bucket(cost=10), now=NOW)).standings[0].burst_remaining() == 0
    assert not (await ask(limits, bucket(), now=NOW)).admitted


class Model:
    """Remembers every request that was let through, and counts them anew each time, in fractions."""

    def __init__(self) -> None:
        self.taken: dict[str, list[tuple[int, int]]] = {}
        self.tat: dict[str, Fraction] = {}

    def decide(self, buckets: list[Bucket], now: int) -> bool:
        if not all(self._fits(one, now) for one in buckets):
            return False
        for one in buckets:
            self.taken.setdefault(one.subject, []).append((now, one.cost))
            interval = Fraction(one.refill * 1000, one.burst)
            self.tat[one.subject] = max(self.tat.get(one.subject, Fraction(0)), Fraction(now)) + one.cost * interval
        return True

    def _fits(self, one: Bucket, now: int) -> bool:
        window, ms = one.window, now // 1000
        start = ms - ms % window
        taken = [(at // 1000, cost) for at, cost in self.taken.get(one.subject, [])]
        here = sum(cost for at, cost in taken if start <= at)
        before = sum(cost for at, cost in taken if start - window <= at < start)
        used = here + before * (1 - Fraction(ms - start, window))
        interval = Fraction(one.refill * 1000, one.burst)
        tat = max(self.tat.get(one.subject, Fraction(0)), Fraction(now)) + one.cost * interval
        return used + one.cost <= one.limit and tat - now <= one.refill * 1000


SHAPES = {
    "a": Bucket("a", 7, 10_000, 3, 2_000),
    "b": Bucket("b", 40, 60_000, 40, 1_000),
    "c": Bucket("c", 5, 1_000, 5, 7_000),
}
REQUESTS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3_000), st.integers(0, 15_000_000)),
        st.lists(st.sampled_from(sorted(SHAPES)), min_size=1, max_size=3, unique=True),
        st.sampled_from([1, 1, 1, 2, 3]),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=REQUESTS)
async def test_script_and_meter_agree_with_the_model(
    limits: RateLimits, redis: Redis, requests: list[tuple[int, list[str], int]]
) -> None:
    await redis.flushall()
    model, meter, now = Model(), Meter(), NOW
    for pause, names, cost in requests:
        now += pause
        buckets = [SHAPES[name]._replace(cost=cost) for name in names]
        decided = await ask(limits, *buckets, now=now)
        assert decided == meter.decide(buckets, now)
        assert decided.admitted == model.decide(buckets, now)
