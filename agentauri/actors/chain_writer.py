"""The indexer's hand in the store: the one place where a chain's events, checkpoint and retractions are committed.

Every commit is fenced by the claim (protocol P8), so a second writer of the same chain writes nothing. A range is
committed in parts; between two parts a back-fill makes way for the live events of other chains (P2).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from agentauri import logs
from agentauri.chain.decoder import Position, decode_at, keep_malformed
from agentauri.chain.parts import Part, cut
from agentauri.chain.registries import WatchedChain
from agentauri.chain.source import Found, RawLog
from agentauri.errors import DecodeError
from agentauri.models.log import BlockRef, DecodedLog
from agentauri.store import chains, events
from agentauri.store.database import Pool

log = logs.get("indexer")

PAGE_BLOCKS = 100
"""Remembered blocks that are compared with the chain at once."""
MAX_PAUSE_SECONDS = 0.1
OTHERS_SECONDS = 5.0
"""How long the answer is believed whether other chains are live."""
NO_BLOCK_HASH = ""
SLICE_LOGS = 50
"""Logs that are decoded without letting others run: about a millisecond."""

First = TypeVar("First")
Second = TypeVar("Second")


async def both(first: Awaitable[First], second: Awaitable[Second]) -> tuple[First, Second]:
    """The results of two things that run side by side; both have ended when this returns or raises."""
    done, also = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(done, BaseException):
        raise done
    if isinstance(also, BaseException):
        raise also
    return done, also


@dataclass(frozen=True, slots=True)
class Retracted:
    """What a fork took back: the common block, and how many events stood above it."""

    common: BlockRef
    events: int


class ChainWriter:
    """The writer of one chain, from its claim until it is fenced."""

    def __init__(self, pool: Pool, chain: WatchedChain, claim: chains.Claim) -> None:
        self.claim = claim
        self.checkpoint = BlockRef(chain.start_block - 1, NO_BLOCK_HASH, 0)
        """Everything up to this block is stored."""
        self.known: BlockRef | None = None
        """The newest block whose hash is stored: the first to look at for a fork."""
        self._pool = pool
        self._chain = chain
        self._months: set[datetime] = set()
        self.others_live = False
        """Whether another chain's live events would wait behind a back-fill of this one."""
        self._others_asked = float("-inf")

    @classmethod
    async def open(cls, pool: Pool, chain: WatchedChain) -> "ChainWriter":
        """Claim the chain; every other writer of it is fenced from here on."""
        async with pool.acquire() as connection:
            claim = await chains.claim(connection, chain.id, chain.name, chain.start_block)
        writer = cls(pool, chain, claim)
        await writer.reload()
        log.info("chain_claimed", chain=chain.name, block=writer.checkpoint.number, owner_token=claim.token)
        return writer

    async def reload(self) -> None:
        """Read the checkpoint again, after a failure that may have hidden a commit. Raises Fenced."""
        async with self._pool.acquire() as connection:
            self.checkpoint = await chains.get_checkpoint(connection, self.claim)
            self.known = await chains.find_newest_block(connection, self._chain.id)

    async def store(self, found: Found, final_block: int, *, backfill: bool) -> int:
        """Commit a range that continues the checkpoint; returns how many events are new. Raises Fenced."""
        await self._ensure_months(found)
        first, *others = cut(found, events.MAX_ROWS)
        decoded = await self._decode(found, first)
        new = 0
        for part, following in zip([first, *others], [*others, None], strict=True):
            began = time.monotonic()
            count, ahead = await both(self._commit(part, decoded, final_block), self._decode(found, following))
            new, decoded = new + count, ahead
            if backfill or following is not None:
                await self._make_way(time.monotonic() - began)
        self.known = found.end
        return new

    async def _commit(self, part: Part, decoded: list[DecodedLog], final_block: int) -> int:
        """One transaction. A crash before its end leaves nothing of it; after it, the next writer goes on behind it."""
        async with self._pool.acquire() as connection, connection.transaction():
            # ① hold the chain's row: nobody else moves it until the end, and a fenced writer stops here
            await chains.hold(connection, self.claim, self.checkpoint)
            # ② the blocks' hashes, so that a fork between this part and the next is noticed
            await chains.remember(connection, self.claim, part.blocks)
            # ③ the events, under the log's lock from here on
            appended = await events.append(connection, self._chain.id, decoded)
            # ④ the checkpoint and the chain's clock
            if part.to is not None:
                await chains.advance(
                    connection,
                    self.claim,
                    part.to,
                    last_seq=appended.last_seq,
                    final_block=final_block,
                    last_event_time=decoded[-1].block_timestamp if decoded else None,
                )
        if part.to is not None:
            self.checkpoint = part.to
        return appended.count

    async def _decode(self, found: Found, part: Part | None) -> list[DecodedLog]:
        """The part's events, in slices, so that a commit beside it is not held up with the log's lock in its hand."""
        decoded: list[DecodedLog] = []
        start, stop = (part.start, part.stop) if part else (0, 0)
        for at in range(start, stop, SLICE_LOGS):
            end = min(at + SLICE_LOGS, stop)
            decoded += map(self._decode_one, found.positions[at:end], found.logs[at:end])
            await asyncio.sleep(0)
        return decoded

    def _decode_one(self, position: Position, raw: RawLog) -> DecodedLog:
        registry = self._chain.registries[position.address]
        try:
            return decode_at(position, raw, registry)
        except DecodeError as error:
            log.warning(
                "log_kept_raw",
                chain=self._chain.name,
                block=position.block_number,
                log_index=position.log_index,
                why=error.message,
            )
            return keep_malformed(position, raw, registry)

    async def _ensure_months(self, found: Found) -> None:
        times = [position.block_timestamp for position in found.positions]
        for month in events.months_of(moment for moment in times if moment is not None):
            if month not in self._months:
                async with self._pool.acquire() as connection, connection.transaction():
                    await events.ensure_month(connection, month)
                self._months.add(month)

    async def _make_way(self, held_seconds: float) -> None:
        """While other chains are live, leave the log's lock alone for as long as it was held."""
        now = time.monotonic()
        if now - self._others_asked > OTHERS_SECONDS:
            self._others_asked = now
            async with self._pool.acquire() as connection:
                self.others_live = await chains.others_live(connection, self._chain.id)
        await asyncio.sleep(min(held_seconds, MAX_PAUSE_SECONDS) if self.others_live else 0)

    async def newest_block(self, at_most: int) -> BlockRef | None:
        """The newest block at or below a number whose hash is stored."""
        async with self._pool.acquire() as connection:
            return await chains.find_newest_block(connection, self._chain.id, at_most)

    async def remembered(self, at_most: int) -> AsyncIterator[list[BlockRef]]:
        """Pages of blocks whose hashes are stored, newest first."""
        async with self._pool.acquire() as connection:
            async for page in chains.list_blocks(connection, self._chain.id, at_most, PAGE_BLOCKS):
                yield page

    async def retract(self, common: BlockRef | None) -> Retracted:
        """Take back what stands above the common block, all if there is none. Raises Fenced.

        One transaction: after it the log says what was retracted, and the chain goes on from the common block.
        """
        to = common or BlockRef(self._chain.start_block - 1, NO_BLOCK_HASH, 0)
        async with self._pool.acquire() as connection, connection.transaction():
            # ① hold the chain's row
            await chains.hold(connection, self.claim, self.checkpoint)
            # ② the retraction's row, and its seq on the events
            taken = await events.retract(connection, self._chain.id, common.number if common else -1)
            # ③ the checkpoint
            await chains.rewind(connection, self.claim, to, retraction_seq=taken.last_seq)
        self.checkpoint, self.known = to, common
        return Retracted(to, taken.count)

    async def prune(self) -> None:
        """Forget hashes of blocks far below the checkpoint."""
        async with self._pool.acquire() as connection:
            await chains.prune(connection, self.claim, self.checkpoint)
