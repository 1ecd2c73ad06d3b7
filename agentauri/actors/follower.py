"""Following one chain with a claim to it: look at the head, notice forks, catch up range by range.

A step that fails raises and has changed nothing but whole commits; the next step begins from the checkpoint. While a
range is stored the next one is fetched. Waiting, claiming and what errors mean: indexer.py.
"""

import time
from dataclasses import dataclass

from agentauri import logs, metrics
from agentauri.actors.chain_writer import ChainWriter, both
from agentauri.chain.forks import common_block
from agentauri.chain.headers import Header
from agentauri.chain.registries import WatchedChain
from agentauri.chain.source import Found, Sighting, Source
from agentauri.models.log import BlockRef

log = logs.get("indexer")

LOOK_SECONDS = 10.0
"""Catching up is interrupted so often for a look at the head."""
PROGRESS_SECONDS = 5.0
BACKFILL_BLOCKS = 1_000
"""So far behind its target an indexer is back-filling: it makes way for live chains and reports progress."""


@dataclass
class Progress:
    """What was done since the last line about the back-fill; times of the monotonic clock."""

    since: float
    blocks: int = 0
    events: int = 0


class Follower:
    """One chain, one claim."""

    def __init__(self, chain: WatchedChain, source: Source, writer: ChainWriter) -> None:
        self.head: Header | None = None
        self.backfilling = False
        self.reorgs = writer.claim.reorgs
        self.last_event_time: int | None = None
        self._chain = chain
        self._source = source
        self._writer = writer
        self._progress = Progress(time.monotonic())

    async def step(self) -> bool:
        """Look at the head and catch up for a while; whether there is more to do at once.

        Raises ChainError, Fenced, or what the database raises.
        """
        sighting = await self._source.look(self._writer.known)
        self.head = sighting.head
        left = await self._left_block(sighting)
        if left is not None:
            await self._change_fork(left, sighting)
            return True
        target = sighting.head.number - self._chain.confirmations
        if self._writer.checkpoint.number < target:
            await self._catch_up(target, sighting.final_block)
        return self._writer.checkpoint.number < target

    # -- forks -------------------------------------------------------------------------------------------------------

    async def _left_block(self, sighting: Sighting) -> BlockRef | None:
        """The remembered block that the provider's chain does not have; None while all is well.

        A head below what is known is no fork by itself: the node may be late. Then the newest block is compared that
        it should have.
        """
        known = self._writer.known
        if known is None or sighting.at_known == known.hash:
            return None
        if sighting.at_known is not None:
            return known
        lower = await self._writer.newest_block(min(sighting.head.number, known.number - 1))
        if lower is None:
            return None
        there = (await self._source.hashes(sighting.provider, [lower.number])).get(lower.number)
        return None if there in (None, lower.hash) else lower

    async def _change_fork(self, left: BlockRef, sighting: Sighting) -> None:
        """Take back what the chain left, once the other providers do not contradict."""
        if not await self._source.fork_is_real(left, sighting.provider):
            return
        pages = self._writer.remembered(left.number)
        common = await common_block(pages, lambda numbers: self._source.hashes(sighting.provider, numbers))
        retracted = await self._writer.retract(common)
        self.reorgs += 1
        metrics.reorgs(chain=str(self._chain.id))
        log.warning(
            "chain_reorganised",
            chain=self._chain.name,
            common_block=retracted.common.number,
            left_block=left.number,
            left_hash=left.hash,
            retracted_events=retracted.events,
        )

    # -- catching up -------------------------------------------------------------------------------------------------

    async def _catch_up(self, target: int, final_block: int) -> None:
        """Ranges up to ``target``, until it is reached or it is time to look at the head again."""
        look_at = time.monotonic() + LOOK_SECONDS
        self._set_backfilling(target - self._writer.checkpoint.number > BACKFILL_BLOCKS)
        found: Found | None = await self._source.fetch(self._writer.checkpoint, target, final_block)
        while found is not None:
            go_on = found.end.number < target and time.monotonic() < look_at
            found = await self._store(found, final_block, target if go_on else None)
            self._report_progress(target)
        self._set_backfilling(target - self._writer.checkpoint.number > BACKFILL_BLOCKS)

    async def _store(self, found: Found, final_block: int, target: int | None) -> Found | None:
        """Store a range, then or meanwhile fetch the next one if there is a target; returns the next one.

        Not meanwhile while other chains are live: reading an answer would hold up a commit that has the log's lock.
        """
        before = self._writer.checkpoint.number
        storing = self._writer.store(found, final_block, backfill=self.backfilling)
        following: Found | None = None
        if target is None:
            new = await storing
        elif self._writer.others_live:
            new = await storing
            following = await self._source.fetch(found.end, target, final_block)
        else:
            new, following = await both(storing, self._source.fetch(found.end, target, final_block))
        if found.positions:
            self.last_event_time = found.positions[-1].block_timestamp
        self._progress.blocks += found.end.number - before
        self._progress.events += new
        if new:  # Ray's counters refuse 0
            metrics.events_indexed(new, chain=str(self._chain.id))
        return following

    def _set_backfilling(self, now: bool) -> None:
        if now and not self.backfilling:
            self._progress = Progress(time.monotonic())
        elif self.backfilling and not now:
            log.info("backfill_done", chain=self._chain.name, block=self._writer.checkpoint.number)
        self.backfilling = now

    def _report_progress(self, target: int) -> None:
        progress, now = self._progress, time.monotonic()
        took = now - progress.since
        if not self.backfilling or took < PROGRESS_SECONDS:
            return
        speed = progress.blocks / took
        indexed = self._writer.checkpoint.number
        log.info(
            "backfill",
            chain=self._chain.name,
            block=indexed,
            target=target,
            blocks_per_second=round(speed),
            events_per_second=round(progress.events / took),
            seconds_left=round((target - indexed) / speed) if speed else None,
        )
        self._progress = Progress(now)
