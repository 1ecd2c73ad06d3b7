import math

from hypothesis import given
from hypothesis import strategies as st

from agentauri.chain.pace import BURST_SECONDS, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, Pace, backoff


@given(st.lists(st.integers(1, 50), min_size=1, max_size=50))
def test_no_more_than_the_rate_and_its_burst_is_let_through(counts: list[int]) -> None:
    pace, now, sent = Pace(10.0), 100.0, 0
    for count in counts:
        now += pace.reserve(count, now)
        assert sent <= 10.0 * (now - 100.0 + BURST_SECONDS) + 1e-6
        sent += count


def test_a_provider_without_a_limit_is_never_waited_for() -> None:
    pace = Pace(math.inf)

    assert [pace.reserve(1_000, 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]


@given(failures=st.integers(1, 1_000), fraction=st.floats(0, 1))
def test_back_off_grows_to_a_bound_and_keeps_half_of_it(failures: int, fraction: float) -> None:
    wait = backoff(failures, fraction)

    assert FIRST_BACKOFF_SECONDS / 2 <= wait <= MAX_BACKOFF_SECONDS
    assert wait <= backoff(failures + 1, 1.0)
