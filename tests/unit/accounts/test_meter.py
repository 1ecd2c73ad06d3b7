"""The limits of one process while Redis is away; the rest is checked together with the script in Redis."""

from agentauri.accounts.meter import Meter
from agentauri.models.rate import Bucket

NOW = 1_800_000_000_000_000


def bucket(subject: str, limit: int = 2) -> Bucket:
    return Bucket(subject, limit, 3_600_000, limit, 60_000)


def test_limit_holds_without_redis() -> None:
    meter = Meter()
    assert [meter.decide([bucket("a")], NOW).admitted for _ in range(3)] == [True, True, False]


def test_refused_request_takes_nothing() -> None:
    meter = Meter()
    assert meter.decide([bucket("b", 1)], NOW).admitted
    assert not meter.decide([bucket("a"), bucket("b", 1)], NOW).admitted
    assert meter.decide([bucket("a")], NOW).standings[0].remaining() == 1


def test_of_too_many_subjects_the_oldest_is_forgotten() -> None:
    meter = Meter(entries=2)
    for subject in ("a", "b", "a", "c"):
        meter.decide([bucket(subject)], NOW)
    assert not meter.decide([bucket("a")], NOW).admitted
    assert meter.decide([bucket("b")], NOW).standings[0].remaining() == 1
