"""More and fewer evaluators under a running path: a new supervisor with other settings takes over in the middle of a
backlog, as after a change of ``actors.evaluators``, and nothing is lost or enqueued twice."""

import asyncio

import pytest
from pydantic import SecretStr

from agentauri.actors import handles, tasks
from agentauri.actors.supervisor import Supervisor
from agentauri.config import Actors
from agentauri.store import log, partitions
from agentauri.store.database import Pool
from tests.support.cluster import SECRET_KEY, PathOnRay
from tests.support.oracle import one_pass
from tests.support.outcome import assert_state_is_that_of_one_pass
from tests.support.rows import feedback, insert_events
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE, make_organization, make_trigger
from tests.support.waiting import eventually

EVENTS = 1_000
"""At each change."""


async def add_events(pool: Pool, first: int) -> None:
    rows = [
        feedback(number, agent_id=number % 20, data={"score": str(number * 37 % 101)})
        for number in range(first, first + EVENTS)
    ]
    async with pool.acquire() as connection:
        await insert_events(connection, rows)


async def resize(path: PathOnRay, evaluators: int) -> None:
    """The supervisor is gone without a word, and another one has other settings."""
    await tasks.cancel(*path.supervisor._tasks)
    await path.supervisor._pool.close()
    actors = Actors(evaluators=evaluators, deliverers_min=1, deliverers_max=1)
    path.settings = path.settings.model_copy(update={"actors": actors, "secret_key": SecretStr(SECRET_KEY)})
    path.supervisor = Supervisor(path.settings, path.namespace)
    await path.supervisor.start()


@pytest.mark.timeout(240)
async def test_p13_evaluators_that_become_more_and_fewer_under_load_lose_nothing(
    database: str, redis_url: str, namespace: str, pool: Pool
) -> None:
    async with pool.acquire() as connection:
        organization = await make_organization(connection)
        for conditions in ([LOW_SCORE], [EMA_LOW], [LOW_SCORE, BURST], [EMA_LOW], [LOW_SCORE, BURST]):
            await make_trigger(connection, organization, conditions)
    path = PathOnRay(database, redis_url, namespace)
    await path.start()
    for number, evaluators in enumerate((3, 1)):
        await add_events(pool, number * EVENTS)
        await resize(path, evaluators)
        wanted = {handles.evaluator_name(index) for index in range(evaluators)}

        async def only_these(wanted: set[str] = wanted) -> bool:
            names = await asyncio.to_thread(handles.names, namespace)
            return {name for name in names if name.startswith("evaluator")} == wanted

        await eventually(only_these, seconds=60)
    await add_events(pool, 2 * EVENTS)

    async def at_the_head() -> bool:
        async with pool.acquire() as connection:
            return min((await partitions.progress(connection)).values()) == await log.head(connection)

    await eventually(at_the_head, seconds=90)
    await path.stop()
    truth = await one_pass(pool)
    assert {row["id"] for row in await pool.fetch("SELECT id FROM deliveries")} == truth.queue
    await assert_state_is_that_of_one_pass(pool, database, redis_url)
