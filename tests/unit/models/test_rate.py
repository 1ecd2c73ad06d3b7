"""What is left of a limit, and when there will be more: checked against the meter, which lets requests through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.accounts.meter import Meter
from agentauri.models.rate import Bucket, Decision, Standing, Usage

NOW = 1_800_000_000_000
BUCKETS = st.builds(
    Bucket,
    subject=st.just("a"),
    limit=st.integers(1, 50),
    window=st.sampled_from([1_000, 7_001, 3_600_000]),
    burst=st.integers(3, 60),
    refill=st.sampled_from([1, 1_000, 60_000]),
    cost=st.integers(1, 3),
)
PAUSES = st.lists(st.integers(0, 2_000), max_size=60)


def used_up(bucket: Bucket, pauses: list[int]) -> tuple[Meter, Standing]:
    meter, now = Meter(), NOW
    standing = meter.decide([bucket], now * 1000).standings[0]
    for pause in pauses:
        now += pause
        standing = meter.decide([bucket], now * 1000).standings[0]
    return meter, standing


@given(bucket=BUCKETS, pauses=PAUSES)
def test_request_is_let_through_after_the_wait_and_not_before(bucket: Bucket, pauses: list[int]) -> None:
    if bucket.cost > bucket.limit:
        return
    meter, standing = used_up(bucket, pauses)
    wait = standing.wait()
    if wait:
        assert not meter.decide([bucket], (standing.now + wait - 1) * 1000).admitted
    assert meter.decide([bucket], (standing.now + wait) * 1000).admitted


@given(bucket=BUCKETS, pauses=PAUSES)
def test_reset_is_when_there_is_more_than_now(bucket: Bucket, pauses: list[int]) -> None:
    _, standing = used_up(bucket, pauses)

    def at(ms: int) -> Standing:
        meter, probe = used_up(bucket, pauses)[0], bucket._replace(cost=0)
        return meter.decide([probe], (standing.now + ms) * 1000).standings[0]

    for reset, left in (
        (standing.window_reset(), Standing.remaining),
        (standing.burst_reset(), Standing.burst_remaining),
    ):
        if reset:
            assert left(at(reset - 1)) == left(standing)
            assert left(at(reset)) > left(standing)


def test_request_that_costs_more_than_the_limit_waits_two_windows() -> None:
    standing = Standing(Bucket("a", 5, 1_000, 10, 1_000, 10), Usage(), NOW)
    assert standing.wait() == 2_000


def test_unused_bucket_has_nothing_to_wait_for() -> None:
    standing = Standing(Bucket("a", 5, 1_000, 5, 1_000), Usage(), NOW)
    assert (standing.wait(), standing.window_reset(), standing.burst_reset()) == (0, 0, 0)


def test_of_two_buckets_the_one_that_refuses_speaks() -> None:
    free = Standing(Bucket("a", 5, 1_000, 5, 1_000), Usage(), NOW)
    full = Standing(Bucket("b", 500, 1_000, 500, 1_000), Usage(spent=500), NOW)
    assert Decision(False, (free, full)).tightest() is full


def test_of_two_buckets_the_one_with_the_smaller_share_left_speaks() -> None:
    free = Standing(Bucket("a", 5, 1_000, 5, 1_000), Usage(spent=1), NOW)
    used = Standing(Bucket("b", 500, 1_000, 500, 1_000), Usage(spent=400), NOW)
    assert Decision(True, (free, used)).tightest() is used


@pytest.mark.parametrize(("wait_ms", "seconds"), [(1, 1), (1_000, 1), (1_001, 2)])
def test_retry_after_is_in_whole_seconds_rounded_up(wait_ms: int, seconds: int) -> None:
    full = Standing(Bucket("a", 10, 3_600_000, 1, 60_000), Usage(1, 0, wait_ms * 1_000), NOW)
    assert Decision(False, (full,)).retry_after() == seconds
