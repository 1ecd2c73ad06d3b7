"""Counts the uses of API keys in memory and writes them down in batches: no statement per request.

A replica that dies loses the uses of its last seconds; they are statistics, nothing is decided by them.
"""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from agentauri import logs
from agentauri.store import api_keys
from agentauri.store.api_keys import Uses
from agentauri.store.database import AWAY, Pool

log = logs.get("keys")
FLUSH_SECONDS = 2.0


class KeyUses:
    """Collects uses; ``keep_writing`` writes them down."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._noted: dict[UUID, Uses] = {}

    def note(self, key_id: UUID, ip: str) -> None:
        """A key was used from ``ip``, just now."""
        before = self._noted.get(key_id)
        self._noted[key_id] = Uses(1 if before is None else before.count + 1, datetime.now(UTC), ip)

    async def keep_writing(self) -> None:
        """Write for ever."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write down what was collected. While the database is away the newest uses are dropped, not stacked up."""
        if not self._noted:
            return
        uses, self._noted = self._noted, {}
        try:
            async with self._pool.acquire() as connection:
                await api_keys.record_uses(connection, uses)
        except AWAY as error:
            log.warning("key_uses_lost", keys=len(uses), error=repr(error))
