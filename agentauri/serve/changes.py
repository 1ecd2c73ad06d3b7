"""Hears from the database what changed about callers, so that a replica can remember them and still be prompt.

Guarantees that what ``is_current`` vouches for is at most HEARD_SECONDS old: notifications that were committed before
a heartbeat was asked for have arrived when it is answered. Without the connection nothing is vouched for, and whoever
remembers callers asks again. The connection never opens a transaction (protocol P3).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from agentauri import logs
from agentauri.errors import StartError
from agentauri.store.access import CHANNEL
from agentauri.store.database import AWAY, connect

log = logs.get("access")
HEARTBEAT_SECONDS = 0.25
HEARD_SECONDS = 0.8
ANSWER_SECONDS = 0.6
RETRY_SECONDS = 1.0


class Changes:
    """``heard`` is called with each change (``user:<id>``, …), and with None when any may have been missed."""

    def __init__(self, url: str, heard: Callable[[str | None], None]) -> None:
        self._url, self._heard = url, heard
        self._current_at = float("-inf")

    def is_current(self) -> bool:
        """Whether every change older than a moment has been heard."""
        return time.monotonic() - self._current_at < HEARD_SECONDS

    async def listen(self) -> None:
        """Listen for ever, on one connection after the other."""
        while True:
            try:
                await self._listen_once()
            except (*AWAY, StartError) as error:
                log.warning("changes_unheard", error=repr(error), meanwhile="callers are looked up at each request")
            self._current_at = float("-inf")
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        connection = await connect(self._url, name="api changes")
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            self._heard(None)
            while True:
                asked_at = time.monotonic()
                await connection.execute("SELECT 1", timeout=ANSWER_SECONDS)
                self._current_at = asked_at
                await asyncio.sleep(HEARTBEAT_SECONDS)
        finally:
            connection.terminate()  # without a word to the server: it may be the server that is away

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: Any) -> None:
        self._heard(str(payload))
