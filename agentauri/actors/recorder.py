"""Writes results of attempts to the database in groups, and gives up on none of them.

While the database is away results wait here, at most as many as the caller lets pile up; a result that the database
refuses is written alone and without its texts. What is lost with the process is the result alone: the row's lease
ends, and the delivery is attempted again.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from agentauri import logs, metrics
from agentauri.models.delivery import Result
from agentauri.store import attempts
from agentauri.store.attempts import Recorded
from agentauri.store.held import TRY_AGAIN, Held

log = logs.get("recorder")

MAX_BATCH = 200
"""More to a statement would not make it cheaper: it compares each attempt with each result."""
RETRY_FIRST_SECONDS = 0.05
RETRY_MOST_SECONDS = 2.0

Heard = Callable[[Sequence[Result], Recorded], None]


class Recorder:
    """``heard`` is told of every batch that is committed."""

    def __init__(self, held: Held, heard: Heard) -> None:
        self.held = held
        self._heard = heard
        self._waiting: list[Result] = []
        self._writing = 0
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, result: Result) -> None:
        """Record this soon."""
        self._waiting.append(result)
        self._idle.clear()
        self._arrived.set()

    @property
    def backlog(self) -> int:
        """Results that are not yet committed."""
        return len(self._waiting) + self._writing

    async def flush(self) -> None:
        """Wait until everything is committed."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write for ever; a group is what arrived while the one before was written."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next_batch():
                self._writing = len(batch)
                await self._write(batch)
                self._writing = 0
            self._idle.set()

    def _next_batch(self) -> list[Result]:
        """The oldest results, each delivery once."""
        batch: dict[Any, Result] = {}
        later: list[Result] = []
        for result in self._waiting:
            is_first = result.claimed.id not in batch and len(batch) < MAX_BATCH
            if is_first:
                batch[result.claimed.id] = result
            else:
                later.append(result)
        self._waiting = later
        return list(batch.values())

    async def _write(self, batch: list[Result]) -> None:
        pause = RETRY_FIRST_SECONDS
        while True:
            try:
                self._heard(batch, await self._record(batch))
                _measure(batch)
                return
            except attempts.REFUSED as error:
                await self._write_apart(batch, error)
                return
            except TRY_AGAIN as error:
                self.held.drop()
                log.warning("record_failed", results=self.backlog, error=repr(error), retry_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_MOST_SECONDS)

    async def _record(self, batch: Sequence[Result]) -> Recorded:
        connection = await self.held.get()
        async with connection.transaction():
            return await attempts.record(connection, batch)

    async def _write_apart(self, batch: list[Result], error: Exception) -> None:
        """One of them does not fit: each alone, and the one that fails without its texts."""
        if len(batch) > 1:
            for result in batch:
                await self._write([result])
            return
        result = batch[0]
        log.error("result_refused", delivery=str(result.claimed.id), error=repr(error))
        bare = result.attempt._replace(
            error_message=None, response_excerpt=None, request=None, error_class="Unstorable"
        )
        if bare == result.attempt:
            raise error
        await self._write([result._replace(attempt=bare)])


def _measure(batch: Sequence[Result]) -> None:
    took: dict[tuple[str, str], list[float]] = {}
    for result in batch:
        attempt = result.attempt
        took.setdefault((result.claimed.channel, attempt.outcome), []).append(attempt.duration_seconds)
    for (channel, outcome), seconds in took.items():
        labels = {"channel": str(channel), "outcome": str(outcome)}
        metrics.deliveries(len(seconds), **labels)
        for one in seconds:
            metrics.attempt_seconds(one, **labels)
