"""What the tests of the indexer share."""

import pytest

from agentauri.store import events
from agentauri.store.database import Pool
from tests.support.indexing import Indexing


@pytest.fixture
def indexing(database: str, pool: Pool) -> Indexing:
    return Indexing(database, pool)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts of so few rows that ranges, and blocks, are cut."""
    monkeypatch.setattr(events, "MAX_ROWS", 4)
    return 4
