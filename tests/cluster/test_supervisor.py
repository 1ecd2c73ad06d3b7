"""What the supervisor does beyond Ray's own restarts: actors that were ended for good, and a queue that grows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from agentauri.actors import handles, supervisor
from agentauri.config import Actors
from agentauri.store.database import Pool
from tests.support.cluster import PathOnRay
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
async def test_deliverers_grow_with_the_queue(
    database: str, redis_url: str, namespace: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = PathOnRay(database, redis_url, namespace)
    actors = Actors(evaluators=1, deliverers_min=1, deliverers_max=3)
    path.settings = path.settings.model_copy(update={"actors": actors})
    path.supervisor = supervisor.Supervisor(path.settings, namespace)
    monkeypatch.setattr(supervisor, "DUE_PER_DELIVERER", 10)
    await path.supervisor.start()

    async def status_of_third() -> Any:
        return await path.ask(handles.deliverer_name(2), "about")

    async with pool.acquire() as connection:
        organization = await make_organization(connection)
        await connection.execute(
            """INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel,
               destination, lane, status, next_attempt_at, context)
               SELECT gen_random_uuid(), $1, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'rest',
               'd', 'l', 'retrying', now() + interval '1 hour', '{}' FROM generate_series(1, 30)""",
            organization,
        )
    await eventually(status_of_third, seconds=60)
    await path.stop()
