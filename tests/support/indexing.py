"""Indexers under test: started, killed and compared with the chain that they follow."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agentauri.actors import tasks
from agentauri.actors.indexer import Indexer
from agentauri.chain.registries import WatchedChain, watch
from agentauri.store.database import Pool
from tests.support.fake_chain import IDENTITY, REPUTATION, FakeChain, FakeNode
from tests.support.waiting import eventually

STANDING_SQL = """
    SELECT block_hash, log_index FROM events WHERE retracted_at IS NULL ORDER BY seq"""
SECONDS = 20.0


def watched(*urls: str, **changes: Any) -> WatchedChain:
    """A chain of test nodes, looked at often."""
    settings: dict[str, Any] = {"identity": IDENTITY, "reputation": REPUTATION, "poll_interval_ms": 20} | changes
    return watch(id=31337, name="local", rpc_urls=urls, **settings)


@dataclass
class Indexing:
    """A database and the indexers that write to it."""

    url: str
    pool: Pool

    @asynccontextmanager
    async def running(self, chain: WatchedChain) -> AsyncIterator[Indexer]:
        """An indexer until the end of the block."""
        indexer = Indexer(chain, self.url)
        await indexer.start()
        try:
            yield indexer
        finally:
            await indexer.drain()

    @asynccontextmanager
    async def following(self, *nodes: FakeNode, **changes: Any) -> AsyncIterator[Indexer]:
        """An indexer of fake nodes."""
        async with self.running(watched(*(node.url for node in nodes), **changes)) as indexer:
            yield indexer

    async def standing(self) -> list[tuple[str, int]]:
        """(block hash, log index) of the events that are not retracted, in seq order."""
        return [(row[0], row[1]) for row in await self.pool.fetch(STANDING_SQL)]

    async def retracted(self) -> int:
        """How many events are retracted."""
        found: int = await self.pool.fetchval("SELECT count(*) FROM events WHERE retracted_at IS NOT NULL")
        return found

    async def checkpoint(self) -> int | None:
        """The block up to which the chain is stored."""
        found: int | None = await self.pool.fetchval("SELECT block_number FROM chains")
        return found

    async def agrees(self, chain: FakeChain, confirmations: int = 0) -> bool:
        """Whether what is stored is what the chain has, each log once, in its order."""
        upto = chain.head - confirmations
        expected = [key for block in chain.blocks[: upto + 1] for key in _keys(block.logs)]
        return await self.checkpoint() == upto and await self.standing() == expected

    async def eventually_agrees(self, chain: FakeChain, confirmations: int = 0) -> None:
        """Wait until what is stored is what the chain has."""
        await eventually(lambda: self.agrees(chain, confirmations), seconds=SECONDS)


def _keys(logs: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(log["blockHash"], int(log["logIndex"], 16)) for log in logs]


async def kill(indexer: Indexer) -> None:
    """End an indexer as SIGKILL does: between two awaits, without a farewell."""
    await tasks.cancel(*indexer._tasks)
    if indexer._pool is not None:
        indexer._pool.terminate()
    if indexer._providers is not None:
        await indexer._providers.close()


async def head_is(indexer: Indexer, number: int) -> bool:
    """Whether the indexer saw the chain's head there."""
    return bool((await indexer.status())["head"] == number)
