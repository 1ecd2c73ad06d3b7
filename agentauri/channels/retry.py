"""When a delivery is tried again: its schedule, the receiver's wishes, and what an outcome means.

Pure: randomness and time come in as arguments. Jitter never goes below what the receiver asked for (protocol P25).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, assert_never

from agentauri.models.delivery import Attempt, Judgement, Outcome

DEFAULT_WAITS_SECONDS = (0.0, 5.0, 60.0, 300.0, 1800.0, 7200.0, 28800.0, 86400.0)
JITTER = 0.2
MAX_RETRY_AFTER_SECONDS = 86400.0
RETRIED_STATUSES = frozenset({408, 425, 429})
GONE_STATUS = 410


def waits_of(config: Mapping[str, Any]) -> Sequence[float]:
    """Seconds to wait before each attempt of a delivery, the first one included; as many as there are attempts."""
    waits: Sequence[float] = config.get("retry") or DEFAULT_WAITS_SECONDS
    return waits


def next_wait(waits: Sequence[float], turn: int, retry_after: float | None, random: float) -> float | None:
    """Seconds to wait after attempt ``turn`` (from 1), None when it was the last. ``random`` is in [0, 1)."""
    if turn >= len(waits):
        return None
    wait = waits[turn] * (1 - JITTER + 2 * JITTER * random)
    return max(wait, min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS))


def parse_retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, at most a day; None where it says nothing that is known."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def judge(attempt: Attempt) -> Judgement:
    """What an outcome leads to, before the schedule is asked whether there is another attempt."""
    if attempt.judged is not None:
        return attempt.judged
    match attempt.outcome:
        case Outcome.SUCCESS:
            return Judgement.DELIVERED
        case Outcome.CONNECT | Outcome.DNS | Outcome.TLS | Outcome.TIMEOUT:
            return Judgement.RETRY
        case Outcome.BLOCKED | Outcome.REJECTED:
            return Judgement.FINAL
        case Outcome.HTTP:
            return judge_status(attempt.http_status)
        case _:
            assert_never(attempt.outcome)


def judge_status(status: int | None) -> Judgement:
    """What a status that is no success leads to."""
    if status is None or status >= 500 or status in RETRIED_STATUSES:
        return Judgement.RETRY
    return Judgement.GONE if status == GONE_STATUS else Judgement.FINAL


def is_destination_failure(attempt: Attempt) -> bool:
    """Whether the destination as a whole seems to be in trouble: what a circuit breaker counts (protocol P22)."""
    if attempt.aside:
        return False
    match attempt.outcome:
        case Outcome.CONNECT | Outcome.DNS | Outcome.TLS | Outcome.TIMEOUT:
            return True
        case Outcome.HTTP:
            return attempt.http_status is None or attempt.http_status >= 500
        case Outcome.SUCCESS | Outcome.BLOCKED | Outcome.REJECTED:
            return False
        case _:
            assert_never(attempt.outcome)
