"""The schedule, the receiver's wishes, and what outcomes mean."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.retry import (
    DEFAULT_WAITS_SECONDS,
    is_destination_failure,
    judge,
    next_wait,
    parse_retry_after,
    waits_of,
)
from agentauri.models.delivery import Attempt, Judgement, Outcome

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)


def http(status: int | None) -> Attempt:
    return Attempt(Outcome.HTTP, 0.1, http_status=status)


def test_default_schedule_has_eight_attempts() -> None:
    assert waits_of({}) == (0, 5, 60, 300, 1800, 7200, 28800, 86400) == DEFAULT_WAITS_SECONDS
    assert waits_of({"retry": [0, 1]}) == [0, 1]
    assert next_wait(DEFAULT_WAITS_SECONDS, 7, None, 0.5) == 86400
    assert next_wait(DEFAULT_WAITS_SECONDS, 8, None, 0.5) is None


@given(st.integers(1, 7), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e6))
def test_p25_jitter_stays_within_a_fifth_and_never_goes_below_retry_after(
    turn: int, random: float, retry_after: float | None
) -> None:
    wait, plain = next_wait(DEFAULT_WAITS_SECONDS, turn, retry_after, random), DEFAULT_WAITS_SECONDS[turn]
    assert wait is not None
    asked = min(retry_after or 0, 86400)
    assert wait >= asked
    assert 0.8 * plain - 1e-9 <= wait <= max(1.2 * plain, asked) + 1e-9


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120), ("0", 0), ("999999999999", 86400), ("Mon, 23 Nov 2026 08:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0), ("Fri, 31 Dec 2027 23:59:59 GMT", 86400), (None, None), ("", None),
        ("soon", None), ("-5", None), ("1.5", None), ("²", None),
    ],
)  # fmt: skip
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("attempt", "judgement"),
    [
        (Attempt(Outcome.SUCCESS, 0), Judgement.DELIVERED), (Attempt(Outcome.DNS, 0), Judgement.RETRY),
        (Attempt(Outcome.TLS, 0), Judgement.RETRY), (Attempt(Outcome.CONNECT, 0), Judgement.RETRY),
        (Attempt(Outcome.TIMEOUT, 0), Judgement.RETRY), (Attempt(Outcome.BLOCKED, 0), Judgement.FINAL),
        (Attempt(Outcome.REJECTED, 0), Judgement.FINAL), (http(500), Judgement.RETRY), (http(503), Judgement.RETRY),
        (http(408), Judgement.RETRY), (http(425), Judgement.RETRY), (http(429), Judgement.RETRY),
        (http(400), Judgement.FINAL), (http(404), Judgement.FINAL), (http(302), Judgement.FINAL),
        (http(410), Judgement.GONE), (http(None), Judgement.RETRY),
    ],
)  # fmt: skip
def test_judgement(attempt: Attempt, judgement: Judgement) -> None:
    assert judge(attempt) is judgement


@pytest.mark.parametrize(
    ("attempt", "counts"),
    [
        (http(500), True), (http(429), False), (http(404), False), (Attempt(Outcome.TIMEOUT, 0), True),
        (Attempt(Outcome.SUCCESS, 0), False),
    ],
)  # fmt: skip
def test_what_a_breaker_counts(attempt: Attempt, counts: bool) -> None:
    assert is_destination_failure(attempt) is counts


def test_channel_that_knows_better_than_the_status_is_believed() -> None:
    assert judge(Attempt(Outcome.HTTP, 0, http_status=200, judged=Judgement.RETRY)) is Judgement.RETRY


def test_failure_of_something_else_is_not_held_against_the_destination() -> None:
    assert not is_destination_failure(Attempt(Outcome.TIMEOUT, 0, aside=True))
