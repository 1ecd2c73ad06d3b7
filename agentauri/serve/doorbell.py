"""The one connection of a replica that hears new events for all of its streams; open while there are streams.

A hint, as everywhere: streams look at the log by a timer too, so a lost notification, or the whole connection, costs a
moment and never an event. The connection never opens a transaction (protocol P3).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from agentauri import logs
from agentauri.bell import Bell
from agentauri.errors import StartError
from agentauri.store.database import AWAY, connect

log = logs.get("streams")
CHANNEL = "new_event"
PROBE_SECONDS = 1.0
ANSWER_SECONDS = 2.0
RETRY_SECONDS = 1.0


class Doorbell:
    """``bell`` rings when the log may have grown."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.bell = Bell()
        self._attending = 0
        self._wanted = asyncio.Event()

    @contextmanager
    def attended(self) -> Iterator[None]:
        """While somebody listens to the bell."""
        self._attending += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._attending -= 1
            if not self._attending:
                self._wanted.clear()

    async def listen(self) -> None:
        """Listen for ever, whenever somebody attends."""
        while True:
            await self._wanted.wait()
            try:
                await self._listen_once()
            except (*AWAY, StartError) as error:
                log.warning("doorbell_unheard", error=repr(error), meanwhile="streams look by their timer")
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen_once(self) -> None:
        connection = await connect(self._url, name="api events")
        try:
            await connection.add_listener(CHANNEL, self._on_notify)
            while self._attending:
                await connection.execute("SELECT 1", timeout=ANSWER_SECONDS)
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            connection.terminate()

    def _on_notify(self, *_notification: object) -> None:
        self.bell.ring()
