"""A trigger that begins in the past on a real path: its worker dies, another goes on, and evaluators after it."""

from collections.abc import AsyncIterator

import pytest

from agentauri.store.database import Pool
from tests.support.cluster import PathOnRay
from tests.support.rows import feedback, insert_events
from tests.support.starts import Starts, expected, queue
from tests.support.triggers import LOW_SCORE, make_organization, make_trigger
from tests.support.waiting import eventually

EVENTS = 12_000
AFTER = 100
WORKERS = "FROM pg_stat_activity WHERE application_name = 'agentauri starter'"


@pytest.fixture
async def path(database: str, redis_url: str, namespace: str) -> AsyncIterator[PathOnRay]:
    running = PathOnRay(database, redis_url, namespace)
    await running.start()
    yield running
    await running.stop()


async def events(pool: Pool, first: int, count: int) -> None:
    """Feedback in parts that a writer of the log may insert; every tenth has a low score."""
    async with pool.acquire() as connection:
        for part in range(first, first + count, 1_000):
            numbers = range(part, min(part + 1_000, first + count))
            await insert_events(connection, [feedback(one, data={"score": str(one % 10 * 60)}) for one in numbers])


@pytest.mark.timeout(180)
async def test_past_is_worked_off_though_its_worker_dies_and_the_present_follows(path: PathOnRay, pool: Pool) -> None:
    starts = Starts(pool)
    await events(pool, 0, EVENTS)
    async with pool.acquire() as connection:
        trigger = await make_trigger(connection, await make_organization(connection), [LOW_SCORE], after=0)

    async def has_begun() -> bool:
        return bool((await starts.row())["position"])

    async def nobody() -> bool:
        return not await pool.fetchval(f"SELECT count(*) {WORKERS}")

    async def has_joined() -> bool:
        return str((await starts.row())["status"]) == "joined"

    async def all_enqueued() -> bool:
        return await queue(pool) == await expected(pool, trigger, 0)

    await eventually(has_begun, seconds=60, pause=0.01)
    await pool.execute(f"SELECT pg_terminate_backend(pid) {WORKERS}")
    await eventually(nobody, seconds=20)
    await starts.free()
    await eventually(has_joined, seconds=60)
    await events(pool, EVENTS, AFTER)
    await eventually(all_enqueued, seconds=60)
