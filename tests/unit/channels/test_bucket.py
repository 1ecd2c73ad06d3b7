"""A bucket never gives more than its rate and one burst."""

from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.bucket import TokenBucket


@given(st.floats(0.01, 1000), st.lists(st.floats(0, 2), max_size=60))
def test_never_more_than_rate_and_burst(rate: float, gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate, 0), 0.0, 0
    for gap in gaps:
        now += gap
        count = bucket.available(now)
        bucket.take(count)
        taken += count
        assert taken <= max(1, rate * 0.1) + rate * now + 1e-6


@given(st.floats(0.01, 1000))
def test_token_is_there_when_it_says(rate: float) -> None:
    bucket = TokenBucket(rate, 5)
    bucket.take(bucket.available(5))
    assert bucket.available(5) == 0
    assert bucket.available(bucket.ready_at()) >= 1
