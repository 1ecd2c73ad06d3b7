"""The circuit breaker of a trigger by itself."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from agentauri.models.breaker import Breaker, BreakerConfig, BreakerState, Verdict, counts

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ONE = UUID(int=1)
SUCCESS = Verdict(ONE, succeeded=True)
FAILURE = Verdict(ONE, succeeded=False, counts=True)
PASSING = Verdict(ONE, succeeded=False)
TWO_FAILURES = Breaker(config=BreakerConfig(failure_threshold=2))
OPEN = Breaker(2, NOW, NOW, TWO_FAILURES.config)
LATER = NOW + timedelta(hours=1)


def probe(succeeded: bool, made_at: datetime = LATER) -> Verdict:
    return Verdict(ONE, succeeded, probe_made_at=made_at)


def test_consecutive_failures_open_it_at_the_threshold() -> None:
    once = TWO_FAILURES.judged(FAILURE, NOW)
    assert (once.state(NOW), once.failure_count, once.last_failure_at) == (BreakerState.CLOSED, 1, NOW)
    assert once.judged(FAILURE, NOW) == OPEN


def test_success_between_failures_starts_the_count_again() -> None:
    breaker = TWO_FAILURES.judged(FAILURE, NOW).judged(SUCCESS, NOW).judged(FAILURE, NOW)
    assert (breaker.state(NOW), breaker.failure_count) == (BreakerState.CLOSED, 1)


def test_failed_attempt_of_a_delivery_that_goes_on_counts_nothing() -> None:
    assert TWO_FAILURES.judged(PASSING, NOW) == TWO_FAILURES


def test_it_is_half_open_once_its_time_is_over() -> None:
    assert OPEN.state(LATER - timedelta(seconds=1)) is BreakerState.OPEN
    assert OPEN.state(LATER) is BreakerState.HALF_OPEN


def test_open_one_does_not_listen_to_deliveries_from_before() -> None:
    assert OPEN.judged(SUCCESS, LATER) == OPEN
    assert OPEN.judged(FAILURE, LATER) == OPEN


def test_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_again() -> None:
    closed = OPEN.judged(probe(True), LATER)
    assert (closed.state(LATER), closed.failure_count, closed.last_failure_at) == (BreakerState.CLOSED, 0, NOW)
    again = OPEN.judged(probe(False), LATER)
    assert (again.state(LATER), again.opened_at, again.failure_count) == (BreakerState.OPEN, LATER, 3)


def test_probe_of_an_earlier_opening_decides_nothing() -> None:
    again = OPEN.opened(LATER)
    assert again.judged(probe(True), LATER) == again
    assert again.judged(probe(False), LATER) == again


def test_delivery_counts_once_with_its_third_failure_or_its_last() -> None:
    assert [counts(turn=turn, is_last=False) for turn in (1, 2, 3, 4)] == [False, False, True, False]
    assert [counts(turn=turn, is_last=True) for turn in (1, 2, 3, 4)] == [True, True, True, False]
