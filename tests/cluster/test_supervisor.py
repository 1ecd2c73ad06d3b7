"""What the supervisor does beyond Ray's own restarts: actors that were ended for good, and a queue that grows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from agentauri.actors import handles, pool_size, supervisor
from agentauri.config import Actors
from agentauri.store.database import Pool
from tests.support.cluster import PathOnRay
from tests.support.misbehaving import misbehaving
from tests.support.queue import SECRET_KEY, make_queue
from tests.support.rows import feedback, insert_events
from tests.support.triggers import LOW_SCORE, make_organization, make_trigger
from tests.support.waiting import eventually


@pytest.fixture
async def path(database: str, redis_url: str, namespace: str) -> AsyncIterator[PathOnRay]:
    running = PathOnRay(database, redis_url, namespace)
    await running.start()
    yield running
    await running.stop()


@pytest.mark.timeout(180)
async def test_actors_that_were_ended_for_good_are_made_anew_and_nothing_is_lost(path: PathOnRay, pool: Pool) -> None:
    async with pool.acquire() as connection:
        await make_trigger(connection, await make_organization(connection), [LOW_SCORE])
    before = {name: await path.pid(name) for name in path.names}
    for name in path.names:
        handle = handles.find(name, path.namespace)
        assert handle is not None
        handles.end(handle)
    async with pool.acquire() as connection:
        events = await insert_events(connection, [feedback(number, data={"score": "1"}) for number in range(50)])
    for name in path.names:
        await path.pid(name, other_than=before[name])

    async def all_enqueued() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM deliveries") == len(events))

    await eventually(all_enqueued, seconds=60)


@pytest.mark.timeout(180)
async def test_deliverers_grow_with_what_is_due_and_are_let_go_when_nothing_is(
    database: str, redis_url: str, namespace: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = PathOnRay(database, redis_url, namespace)
    actors = Actors(evaluators=1, deliverers_min=1, deliverers_max=3)
    path.settings = path.settings.model_copy(update={"actors": actors, "secret_key": SecretStr(SECRET_KEY)})
    path.supervisor = supervisor.Supervisor(path.settings, namespace)
    monkeypatch.setattr(pool_size, "DUE_PER_DELIVERER", 10)
    monkeypatch.setattr(pool_size, "MOVING_PER_SECOND", 0.0)
    monkeypatch.setattr(pool_size, "SHRINK_BEATS", 3)
    await path.supervisor.start()

    async def status_of_third() -> Any:
        return await path.ask(handles.deliverer_name(2), "about")

    async def third_is_gone() -> bool:
        return await status_of_third() is None

    async with misbehaving() as receiver:
        async with pool.acquire() as connection:
            queue = await make_queue(connection)
            action = await queue.add_action(connection, receiver.url("/hang"), timeout_seconds=20)
            await queue.add_deliveries(connection, action, 40)
        await eventually(status_of_third, seconds=60)
        await pool.execute("UPDATE deliveries SET status = 'cancelled' WHERE status IN ('pending', 'retrying')")
        await eventually(third_is_gone, seconds=60)
    await path.stop()
