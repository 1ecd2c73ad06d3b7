"""The real application over its real stores, called in process; every answer is held against the OpenAPI document."""

import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tests.support.smtp import Inbox, smtp_server

CHEAP = Cost(memory_kib=64, iterations=1)
PASSWORD = "correct-horse-battery-staple"
SECRET_KEY = "t" * 40
DATA_DIR = tempfile.mkdtemp(prefix="agentauri-tests-")
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)


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
    """Settings of a test's application; it writes its mails into files that nobody keeps."""
    stores = {"database_url": database, "redis_url": redis_url}
    given = {"environment": "test", "secret_key": SECRET_KEY, "data_dir": DATA_DIR, "stores": stores, **more}
    return Settings.model_validate(given)


CONTRACT = Contract(create_app(settings_for("postgresql://x", "redis://x")).openapi())


@asynccontextmanager
async def running(settings: Settings, *, cost: Cost = CHEAP) -> AsyncIterator[Api]:
    """The application, started with these settings."""
    app = create_app(settings, cost=cost)
    transport = CheckedTransport(httpx2.ASGITransport(app, raise_app_exceptions=False), CONTRACT)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Api(app, client)


@pytest.fixture
async def api(database: str, redis_url: str) -> AsyncIterator[Api]:
    """The application, started."""
    async with running(settings_for(database, redis_url)) as started:
        yield started


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """A mail server that keeps what it takes."""
    async with smtp_server() as server:
        yield server


@pytest.fixture
async def mailed(database: str, redis_url: str, inbox: Inbox) -> AsyncIterator[Api]:
    """The application, sending its mails to ``inbox``."""
    async with running(settings_for(database, redis_url, smtp={"url": inbox.url})) as started:
        yield started


@pytest.fixture
async def user(api: Api) -> User:
    """A registered user."""
    return await api.register()
