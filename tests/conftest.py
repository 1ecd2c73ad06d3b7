"""The ground that tests stand on: one real PostgreSQL and Valkey a session, a fresh database a test, an EVM node.

The servers live in a temporary folder and die with the session. ``database`` is copied from a migrated template,
so it costs tens of milliseconds; nothing of one test is seen by another.
"""

import asyncio
import itertools
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis.asyncio

from agentauri import local
from agentauri.actors import tasks
from agentauri.demo import anvil as anvil_module
from agentauri.demo.anvil import Anvil
from agentauri.store import database as database_module
from agentauri.store import migrate

TEMPLATE = "template_agentauri"
POOL_SIZE = 8
_numbers = itertools.count(1)


def _outside_any_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` in a thread: pytest-asyncio's own loop of the main thread stays as it is."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work)
        except BaseException as error:  # noqa: BLE001 - carried into the fixture that asked for it
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _named(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that gives up ends its process; here that would be the one of all tests, without a word."""
    monkeypatch.setattr(tasks, "exit_process", lambda: None)


@pytest.fixture(scope="session")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Addresses]:
    """Both servers, started once; what they store need not survive a power cut."""
    with (
        local.claim(tmp_path_factory.mktemp("stores")) as claim,
        local.stores(claim, durable=False) as found,
    ):
        yield found


@pytest.fixture(scope="session")
def postgres_url(addresses: local.Addresses) -> str:
    """The URL of an unmigrated database of the session's PostgreSQL, for tests that make their own."""
    return addresses.database_url


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """The name of a migrated database that ``database`` copies."""

    async def make() -> None:
        admin = await asyncpg.connect(postgres_url)
        await admin.execute(f"CREATE DATABASE {TEMPLATE}")
        await admin.close()
        connection = await database_module.connect(_named(postgres_url, TEMPLATE), name="tests")
        await migrate.migrate(connection)
        await connection.close()

    _outside_any_loop(make())
    return TEMPLATE


@pytest.fixture
async def database(postgres_url: str, template: str) -> AsyncIterator[str]:
    """The URL of a fresh migrated database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield _named(postgres_url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[database_module.Pool]:
    """A pool to ``database``."""
    opened = await database_module.open_pool(database, size=POOL_SIZE, name="tests")
    yield opened
    await opened.close()


@pytest.fixture
async def redis_url(addresses: local.Addresses) -> str:
    """The URL of a real Valkey without any key."""
    async with redis.asyncio.Redis.from_url(addresses.redis_url) as client:
        await client.flushall()
    return addresses.redis_url


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[Anvil]:
    """A fresh EVM node, chain id 31337, a block a transaction."""
    reason = anvil_module.missing()
    if reason is not None:
        if os.environ.get("REQUIRE_EVM") == "1" or os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(f"no EVM node: {reason}")
    with anvil_module.running(tmp_path) as node:
        yield node
