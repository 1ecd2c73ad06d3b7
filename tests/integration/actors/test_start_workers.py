"""What is told of pasts that are worked off, while there are any and after."""

import pytest

from agentauri import metrics
from agentauri.actors import start_workers
from agentauri.store import start_work
from agentauri.store.start_work import Waiting
from tests.support.path import Rig
from tests.support.rows import feedback, insert_events
from tests.support.starts import Starts
from tests.support.triggers import LOW_SCORE, make_organization, make_trigger

EVENTS = 12


class Gauge:
    """Where a gauge writes to in these tests."""

    def __init__(self) -> None:
        self.value: float | None = None

    def record(self, value: float, labels: dict[str, str]) -> None:
        assert not labels
        self.value = value


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> tuple[Gauge, Gauge]:
    working, lag = Gauge(), Gauge()
    monkeypatch.setattr(metrics.pasts_working, "sink", working)
    monkeypatch.setattr(metrics.pasts_lag_events, "sink", lag)
    return working, lag


async def begin(rig: Rig, *places: int) -> None:
    """Events, and a trigger that begins after each of these."""
    async with rig.pool.acquire() as connection:
        await insert_events(connection, [feedback(number) for number in range(EVENTS)])
        organization = await make_organization(connection)
        for after in places:
            await make_trigger(connection, organization, [LOW_SCORE], after=after)


async def test_pasts_are_counted_with_the_lag_of_the_furthest(rig: Rig, gauges: tuple[Gauge, Gauge]) -> None:
    await begin(rig, 7, 2)
    async with rig.pool.acquire() as connection:
        await start_work.claim(connection)
    assert await start_workers.look(rig.pool) == Waiting(free=1, taken=1, lag=EVENTS - 2)
    assert [one.value for one in gauges] == [2, EVENTS - 2]


async def test_no_past_is_told_of_once_all_have_joined(rig: Rig, starts: Starts, gauges: tuple[Gauge, Gauge]) -> None:
    await begin(rig, 0)
    await start_workers.look(rig.pool)
    await starts.work()
    assert await start_workers.look(rig.pool) == Waiting(free=0, taken=0, lag=0)
    assert [one.value for one in gauges] == [0, 0]
