"""Tests of triggers in Ray's worker processes: in parallel, and cancelled."""

from uuid import UUID, uuid4

import pytest

from agentauri.actors import handles
from agentauri.models.trigger import TriggerDefinition, validate_trigger
from agentauri.store import log, trigger_tests
from agentauri.store.database import Pool
from agentauri.store.stretches import Stretch
from agentauri.store.trigger_tests import Asked, Trial, TrialStatus
from tests.support.rows import feedback, insert_events
from tests.support.triggers import LOW_SCORE, make_organization
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster
EVENTS = 1_000
WORKERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%backtest%'"


class Asking:
    """A test of two parts over the whole log."""

    def __init__(self, pool: Pool, database: str) -> None:
        self.pool, self.database, self.id = pool, database, uuid4()
        self.organization = UUID(int=0)

    async def begin(self, upto: int | None = None) -> None:
        async with self.pool.acquire() as connection:
            self.organization = await make_organization(connection)
            head = upto or await log.head(connection)
            checked = validate_trigger({"name": "low", "conditions": [LOW_SCORE]})
            definition = TriggerDefinition.of(uuid4(), self.organization, checked, []).to_json()
            async with connection.transaction():
                asked = Asked(self.id, self.organization, None, definition, [], head)
                await trigger_tests.begin(connection, asked, 2)
        middle = head // 2
        parts = [Stretch(0, middle, head), Stretch(middle, head, head)]
        await handles.work_off_test(self.database, self.id, definition, parts)

    async def trial(self) -> Trial:
        async with self.pool.acquire() as connection:
            return await trigger_tests.get_test(connection, self.organization, self.id)

    async def is_done(self) -> bool:
        return (await self.trial()).status is TrialStatus.DONE

    async def workers(self) -> int:
        return int(await self.pool.fetchval(WORKERS))


@pytest.fixture
async def asking(ray_cluster: None, pool: Pool, database: str) -> Asking:
    async with pool.acquire() as connection:
        rows = [feedback(number, data={"score": str(number % 100)}) for number in range(EVENTS)]
        await insert_events(connection, rows)
    return Asking(pool, database)


@pytest.mark.timeout(120)
async def test_parts_are_worked_off_in_processes_of_their_own(asking: Asking) -> None:
    await asking.begin()
    await eventually(asking.is_done, seconds=90)
    trial = await asking.trial()
    assert (trial.evaluated, trial.fired) == (EVENTS, EVENTS * 60 // 100)
    seqs = [match["event"]["seq"] for match in trial.matches]
    assert seqs == sorted(seqs)


@pytest.mark.timeout(120)
async def test_cancelled_test_leaves_no_worker_at_work(asking: Asking) -> None:
    await asking.begin()
    async with asking.pool.acquire() as connection:
        await trigger_tests.cancel(connection, asking.organization, asking.id)

    async def nobody() -> bool:
        return await asking.workers() == 0

    await eventually(nobody, seconds=60)
    assert (await asking.trial()).status in (TrialStatus.CANCELLED, TrialStatus.DONE)
