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
