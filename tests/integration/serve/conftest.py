"""The real application over its real stores, called in process; every answer is held against the OpenAPI document."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from agentauri.accounts.passwords import Cost
from agentauri.config import Settings
from agentauri.serve.app import create_app
from tests.support.openapi import CheckedTransport, Contract

CHEAP = Cost(memory_kib=64, iterations=1)
PASSWORD = "correct-horse-battery-staple"
SECRET_KEY = "t" * 40


@dataclass
class Api:
    """A client of the application, and how to get users of it."""

    app: FastAPI
    client: httpx2.AsyncClient
    numbers: "count[int]" = field(default_factory=count)

    async def register(self, **more: object) -> "User":
        """A new user with a personal organization."""
        email = f"user{next(self.numbers)}@example.com"
        answer = await self.client.post("/api/v1/auth/register", json={"email": email, "password": PASSWORD, **more})
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        return User(self.client, email, data["token"], data["user"]["organizations"][0]["id"], data)


@dataclass
class User:
    """A logged-in user."""

    client: httpx2.AsyncClient
    email: str
    token: str
    organization_id: str
    registered: dict[str, Any]

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """A request with this user's token."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **more)


def settings_for(database: str, redis_url: str, **more: Any) -> Settings:
    """Settings of a test's application."""
    stores = {"database_url": database, "redis_url": redis_url}
    return Settings.model_validate({"environment": "test", "secret_key": SECRET_KEY, "stores": stores, **more})


CONTRACT = Contract(create_app(settings_for("postgresql://x", "redis://x")).openapi())


@pytest.fixture
async def api(database: str, redis_url: str) -> AsyncIterator[Api]:
    """The application, started."""
    app = create_app(settings_for(database, redis_url), cost=CHEAP)
    transport = CheckedTransport(httpx2.ASGITransport(app, raise_app_exceptions=False), CONTRACT)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Api(app, client)


@pytest.fixture
async def user(api: Api) -> User:
    """A registered user."""
    return await api.register()
