"""What the tests of actors stand on beside the stores."""

from collections.abc import AsyncIterator

import pytest

from agentauri.actors import pasts, starter
from agentauri.store import events
from agentauri.store.database import Connection, Pool
from tests.support.indexing import Indexing
from tests.support.path import Rig
from tests.support.queue import Queue, make_queue
from tests.support.starts import Starts


@pytest.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    """A connection."""
    async with pool.acquire() as connection:
        yield connection


@pytest.fixture
async def queue(db: Connection) -> Queue:
    """A queue of deliveries, empty."""
    return await make_queue(db)


@pytest.fixture
def indexing(database: str, pool: Pool) -> Indexing:
    """One chain's indexer and what it is held to."""
    return Indexing(database, pool)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts of so few rows that ranges, and blocks, are cut."""
    monkeypatch.setattr(events, "MAX_ROWS", 4)
    return 4


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A past of many pages, and a rest of few rows."""
    monkeypatch.setattr(pasts, "PAGE_ROWS", 10)
    monkeypatch.setattr(starter, "REST_SEQS", 4)
    monkeypatch.setattr(starter, "BASE_SEQS", 15)


@pytest.fixture
def starts(rig: Rig) -> Starts:
    """A worker of pasts beside the rig's evaluator."""
    return Starts(rig.pool)
