"""The indexer of one chain: keeps a follower (follower.py) going, whatever happens to providers and database.

Providers that fail, lag or lie and a database that is away cost time, never events: the error is recorded, the
indexer waits and goes on from the checkpoint. When another writer claims the chain it stands by, and claims it back
only after that one has been silent. Its end, like any end of an eternal task, ends the process.
"""

import asyncio
import random
from typing import Any

from agentauri import logs, metrics
from agentauri.actors import tasks
from agentauri.actors.chain_writer import ChainWriter
from agentauri.actors.follower import Follower
from agentauri.chain.heads import ring
from agentauri.chain.providers import Providers
from agentauri.chain.registries import WatchedChain
from agentauri.chain.source import Source
from agentauri.errors import AgentAuriError, ChainError, Fenced, StartError
from agentauri.store import chains, database

log = logs.get("indexer")

POOL_SIZE = 3
BEAT_SECONDS = 1.0
QUIET_BEATS = 5
"""Beats after which a sign of life is given although nothing changed."""
TAKEOVER_SECONDS = 20.0
"""Silence of the chain's writer after which a fenced one may claim the chain again."""
STANDBY_POLL_SECONDS = 2.0
FIRST_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 5.0
PRUNE_STEPS = 100
DRAIN_SECONDS = 3.0
"""A commit takes milliseconds; an answer that is still awaited then is given up."""


class Indexer:
    """See the module. ``start``, ``status`` and ``drain`` may be called at any time and again."""

    def __init__(self, chain: WatchedChain, database_url: str) -> None:
        self._chain = chain
        self._url = database_url
        self._tasks: list[asyncio.Task[Any]] = []
        self._pool: database.Pool | None = None
        self._providers: Providers | None = None
        self._writer: ChainWriter | None = None
        self._follower: Follower | None = None
        self._state = "starting"
        self._fenced = False
        self._bell = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failures = 0
        self._errors = 0
        self._unreported = 0
        self._last_error = ""
        self._beats = 0
        self._reported: object = None

    # -- the actor's calls -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to follow the chain."""
        if self._tasks or self._stopping.is_set():
            return
        name = f"indexer {self._chain.name}"
        self._tasks = [
            tasks.spawn(self._run(), name=name, eternal=True),
            tasks.spawn(self._beat(), name=f"{name} beat", eternal=True),
            *(tasks.spawn(ring(url, self._bell.set), name=f"{name} heads") for url in self._chain.websocket_urls),
        ]

    async def drain(self) -> None:
        """Finish the commit that is under way, and stop for good."""
        self._stopping.set()
        self._bell.set()
        if self._tasks:
            await self._wait(self._stopped, DRAIN_SECONDS)
        await tasks.cancel(*self._tasks)
        self._tasks = []
        self._state = "drained"
        if self._providers is not None:
            await self._providers.close()
        if self._pool is not None:
            await self._pool.close()

    async def status(self) -> dict[str, Any]:
        """Where the chain is, for people: block numbers, seconds, and counters of this process."""
        head = self._follower.head if self._follower else None
        indexed = self._writer.checkpoint if self._writer else None
        return {
            "id": self._chain.id,
            "name": self._chain.name,
            "state": self._state,
            "head": head.number if head else None,
            "indexed": indexed.number if indexed else None,
            "lag_blocks": max(0, head.number - indexed.number) if head and indexed else None,
            "lag_seconds": max(0, head.time - indexed.time) if head and indexed and indexed.hash else None,
            "last_event_time": self._follower.last_event_time if self._follower else None,
            "provider": self._providers.current if self._providers else "",
            "errors": self._errors,
            "last_error": self._last_error,
            "reorgs": self._follower.reorgs if self._follower else 0,
        }

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Follow until told to stop; then wait for the cancellation, for an eternal task must not end."""
        while not self._stopping.is_set():
            try:
                await self._follow()
            except Fenced as error:
                self._fenced = True
                log.warning("chain_lost", chain=self._chain.name, why=error.message)
            except (ChainError, StartError, *database.AWAY) as error:
                await self._recover(error)
        self._stopped.set()
        await asyncio.Event().wait()

    async def _follow(self) -> None:
        follower = await self._claimed()
        steps = 0
        while not self._stopping.is_set():
            self._state = "back-filling" if follower.backfilling else "following"
            if self._fenced:
                raise Fenced(f"chain {self._chain.id} was claimed by another writer")
            more = await follower.step()
            self._failures = 0
            steps += 1
            if steps % PRUNE_STEPS == 0 and self._writer is not None:
                await self._writer.prune()
            if not more:
                await self._wait(self._bell, self._chain.poll_seconds)
                if not self._stopping.is_set():
                    self._bell.clear()

    async def _claimed(self) -> Follower:
        """The follower with a claim that holds: the one that there is, or a new one."""
        if self._pool is None:
            self._pool = await database.open_pool(self._url, size=POOL_SIZE, name=f"indexer {self._chain.id}")
        if self._providers is None:
            self._providers = Providers(self._chain, self._observe)
        if self._writer is not None and self._follower is not None:
            try:
                await self._writer.reload()
                self._fenced = False
                return self._follower
            except Fenced:
                await self._stand_by(self._pool)
        self._writer = await ChainWriter.open(self._pool, self._chain)
        self._follower = Follower(self._chain, Source(self._chain, self._providers), self._writer)
        self._fenced = False
        return self._follower

    async def _stand_by(self, pool: database.Pool) -> None:
        """Wait until the chain's other writer gives no sign of life any more."""
        self._state = "standby"
        silent = 0.0
        while silent < TAKEOVER_SECONDS and not self._stopping.is_set():
            await self._wait(self._stopping, STANDBY_POLL_SECONDS)
            async with pool.acquire() as connection:
                silent = await chains.silent_seconds(connection, self._chain.id)
        if self._stopping.is_set():
            raise Fenced(f"chain {self._chain.id} was claimed by another writer")

    async def _recover(self, error: Exception) -> None:
        """Record the error and wait: longer each time, and at least until a provider may be asked again."""
        self._state = "waiting"
        self._failures += 1
        self._errors += 1
        self._unreported += 1
        self._last_error = error.message if isinstance(error, AgentAuriError) else repr(error)
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._failures, 16), MAX_WAIT_SECONDS)
        wait *= 0.5 + 0.5 * random.random()
        if isinstance(error, ChainError) and self._providers is not None:
            wait = max(FIRST_WAIT_SECONDS, self._providers.rest_seconds())
        log.warning("indexer_waits", chain=self._chain.name, seconds=round(wait, 2), why=self._last_error)
        await self._wait(self._stopping, wait)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass

    def _observe(self, seconds: float, outcome: str) -> None:
        metrics.rpc_seconds(seconds, chain=str(self._chain.id), outcome=outcome)

    # -- the sign of life ----------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Report what changed, once a second, and at times that nothing did."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if self._pool is None or self._writer is None or self._fenced:
                continue
            try:
                await self._report(self._pool, self._writer)
            except Fenced:
                self._fenced = True
            except database.AWAY as error:
                log.debug("beat_failed", chain=self._chain.name, error=repr(error))

    async def _report(self, pool: database.Pool, writer: ChainWriter) -> None:
        head = self._follower.head if self._follower else None
        provider = self._providers.current if self._providers else ""
        seen = (head, provider, self._unreported)
        self._beats += 1
        if seen == self._reported and self._beats % QUIET_BEATS:
            return
        errors = self._unreported
        async with pool.acquire() as connection:
            await chains.report(
                connection,
                writer.claim,
                head=head.ref if head else None,
                provider=provider,
                new_errors=errors,
                last_error=self._last_error,
            )
        self._unreported -= errors
        self._reported = (head, provider, 0)
        if head is not None:
            metrics.chain_lag_blocks(max(0, head.number - writer.checkpoint.number), chain=str(self._chain.id))
