"""What tests of several parts stand on: the surroundings of one evaluator."""

from collections.abc import AsyncIterator

import pytest

from agentauri.store.database import Pool
from tests.support.path import Rig


@pytest.fixture
async def rig(pool: Pool, database: str, redis_url: str) -> AsyncIterator[Rig]:
    """One evaluator's surroundings; whatever of it still runs at the end is ended."""
    found = Rig(pool, database, redis_url)
    yield found
    await found.crash_all()
