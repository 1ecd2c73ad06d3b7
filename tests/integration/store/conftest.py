"""What the tests of the queue stand on: a deliverer's connection, an organization's queue, and a lane to send from."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from agentauri.store import claims, lanes
from tests.support.queue import LANE, Queue, make_queue


@pytest.fixture
async def db(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection as a deliverer has it."""
    connection = await claims.connect(database, name="tests")
    yield connection
    await connection.close()


@pytest.fixture
async def queue(db: Any) -> Queue:
    """A queue of deliveries, empty."""
    return await make_queue(db)


@pytest.fixture
async def token(db: Any) -> UUID:
    """That of a deliverer who owns the lane."""
    owner = uuid4()
    await lanes.take(db, owner, "d", [LANE], 60)
    return owner
