"""The API as Serve hosts it: built in its replica, whole with the cluster, and gone when it is told to go."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from ray import serve

from agentauri.actors.cluster import start_serve
from agentauri.actors.environment import free_port
from agentauri.config import Settings
from agentauri.serve.deployments import api_application
from agentauri.store.database import Pool
from tests.support.rows import feedback, insert_events
from tests.support.sse import parse
from tests.support.waiting import eventually

pytestmark = pytest.mark.cluster


@pytest.fixture
async def base(ray_cluster: None, database: str, redis_url: str) -> AsyncIterator[str]:
    """The address of the deployed API."""
    port = free_port()
    stores = {"database_url": database, "redis_url": redis_url}
    settings = Settings.model_validate({"environment": "test", "secret_key": "t" * 40, "stores": stores})
    await asyncio.to_thread(start_serve, port)
    await asyncio.to_thread(serve.run, api_application(settings), name="api")
    yield f"http://127.0.0.1:{port}/api/v1"
    await asyncio.to_thread(serve.shutdown)


async def test_the_api_answers_through_serve_with_every_part_connected(base: str) -> None:
    async with httpx2.AsyncClient(base_url=base, timeout=20) as client:
        health = await client.get("/health")
        assert health.json() == {
            "status": "healthy", "database": "connected", "redis": "connected", "cluster": "connected",
            "version": "0.1.0",
        }  # fmt: skip
        account = {"email": "ada@example.com", "password": "correct-horse-battery-staple"}
        made = await client.post("/auth/register", json=account)
        assert made.status_code == 201
        headers = {"Authorization": f"Bearer {made.json()['data']['token']}"}
        assert (await client.get("/triggers", headers=headers)).json()["data"] == []
        missing = await client.get("/nowhere")
        assert missing.headers["content-type"] == "application/problem+json"


async def test_stream_passes_through_serve_as_it_comes_and_ends_with_its_client(base: str, pool: Pool) -> None:
    async with httpx2.AsyncClient(base_url=base, timeout=20) as client:
        account = {"email": "ada@example.com", "password": "correct-horse-battery-staple"}
        made = await client.post("/auth/register", json=account)
        headers = {"Authorization": f"Bearer {made.json()['data']['token']}"}
        async with client.stream("GET", "/events/stream", headers=headers) as answer:
            lines = answer.aiter_lines()
            assert [await anext(lines) for _ in range(5)] == ["retry: 2000", "", ": beat", "id: 0", ""]
            assert await eventually(lambda: doorbells(pool)) == 1
            async with pool.acquire() as connection:
                (event,) = await insert_events(connection, [feedback(1)])
            told = parse("\n".join([await anext(lines) for _ in range(3)]))
            assert told.data["id"] == str(event)
    await eventually(lambda: no_doorbell(pool))


async def doorbells(pool: Pool) -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agentauri api events'"
    return int(await pool.fetchval(sql))


async def no_doorbell(pool: Pool) -> bool:
    return await doorbells(pool) == 0
