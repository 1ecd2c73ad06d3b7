"""An evaluator: the one process that holds the triggers and the state of its partitions.

Guarantees that a page is worked off once per partition, that what it led to and how far it got are one commit, and
that an owner whose partitions were taken writes nothing more. Reads pages only from the listener. Rules: protocol
P13–P19. It exits when it is fenced; Ray brings it back, and it loads what is stored.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from agentauri import collector, logs, metrics
from agentauri.actors import commits, tasks
from agentauri.actors.batch import Outcome, tell_absences, work_off
from agentauri.actors.doorbell import Doorbell
from agentauri.actors.messages import Progress
from agentauri.actors.ports import deliverers_bell
from agentauri.actors.replay import rebuild, recall_absences, replay, restored
from agentauri.actors.runtime import NAMESPACE
from agentauri.actors.state_keeper import StateKeeper
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.shard import partitions_of
from agentauri.models.event import Event
from agentauri.models.page import Clock, Page, Retraction, Version, parse_rows
from agentauri.store import checkpoints as redis_checkpoints
from agentauri.store import database, firings, leadership, partition_clocks, partitions, snapshots
from agentauri.store import log as event_log
from agentauri.store.checkpoints import REDIS_AWAY, Checkpoints
from agentauri.store.database import ANY_FAILURE, AWAY
from agentauri.store.partitions import Owned

log = logs.get("evaluator")

POOL_SIZE = 3
FLUSH_SECONDS = 0.1
"""How long the database may lag behind in progress that nothing else is written with."""
MOST_SCANNED = 20
"""Organizations of which the status says how many triggers are scanned, those with the most."""
RETRY_FIRST_SECONDS = 0.05
RETRY_MOST_SECONDS = 2.0


Write = Callable[[database.Connection], Awaitable[set[str]]]
"""Makes a whole commit, progress included; returns the lanes in which something became due."""


@dataclass(frozen=True, slots=True)
class EvaluatorSettings:
    """What an evaluator needs to know; plain, so that it travels to the actor."""

    index: int
    evaluators: int
    name: str
    database_url: str
    redis_url: str
    deliverers_max: int
    snapshot_seconds: float = 30.0
    namespace: str = NAMESPACE


class Evaluator:
    """See the module. ``doorbell`` wakes deliverers; ``give_up`` ends the process when fenced."""

    def __init__(
        self,
        settings: EvaluatorSettings,
        doorbell: Doorbell | None = None,
        give_up: Callable[[], None] = tasks.exit_process,
    ) -> None:
        self._settings = settings
        self._doorbell = doorbell or Doorbell(deliverers_bell(settings.deliverers_max, settings.namespace))
        self._give_up = give_up
        self._lock = asyncio.Lock()
        self._ready = asyncio.Event()
        self._started = False
        self._owned: list[Owned] = []
        self._engine = PartitionEvaluator()
        self._epoch = 0
        self._seen = 0
        """How far the log was sent to an evaluator that owns no partition."""
        self._clocks: dict[int, int] = {}
        self._forks: dict[int, int] = {}
        """By chain the seq of its newest retraction: a clock from before it is that of an abandoned fork."""
        self._tasks: list[asyncio.Task[Any]] = []

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take the partitions, load their state, and be ready; idempotent."""
        if self._started:
            return
        self._started = True
        began = time.monotonic()
        self._pool = await database.open_pool(self._settings.database_url, size=POOL_SIZE, name=self._settings.name)
        self._redis = redis_checkpoints.connect(self._settings.redis_url)
        async with self._pool.acquire() as connection:
            await database.check_server(connection)
            prefix = await redis_checkpoints.identity(connection)
            self._keeper = StateKeeper(Checkpoints(self._redis, prefix), self._pool, self._settings.name)
            self._epoch = await leadership.epoch(connection)
            mine = partitions_of(self._settings.index, self._settings.evaluators)
            self._owned = await partitions.take(connection, mine, self._settings.name)
            rebuilt = await self._rebuild(connection)
            met = await event_log.retractions(connection, 0, self._lowest())
            self._forks = {one.chain_id: one.seq for one in met}
        self._engine = rebuilt.evaluator
        collector.spare()
        self._ready.set()
        eternal = {"snapshots": self._snapshot_loop(), "progress": self._flush_loop()}
        self._tasks = [
            tasks.spawn(work, name=name, eternal=True, give_up=self._give_up) for name, work in eternal.items()
        ]
        log.info(
            "evaluator_ready",
            evaluator=self._settings.name,
            partitions=len(self._owned),
            last_seq=self._lowest(),
            from_redis=len(rebuilt.from_redis),
            replayed=rebuilt.replayed,
            seconds=round(time.monotonic() - began, 3),
        )

    async def _rebuild(self, connection: database.Connection) -> Any:
        try:
            await redis_checkpoints.check_redis(self._redis)
            return await rebuild(connection, self._keeper.checkpoints, self._owned)
        except REDIS_AWAY as error:
            log.warning("redis_away_at_start", error=repr(error), remedy="state is loaded from PostgreSQL instead")
            self._keeper.rest()
            return await rebuild(connection, None, self._owned)

    async def drain(self) -> None:
        """Finish the batch under way, keep a snapshot of what changed, and close."""
        await self._ready.wait()
        async with self._lock:
            # Under the lock: a commit that is cancelled after it took place would leave memory behind the database.
            await tasks.cancel(*self._tasks)
            self._ready.clear()
            await self._flush()
            for owned in self._owned:
                await self._keeper.snapshot(owned, self._engine)
        await self._pool.close()
        await self._redis.aclose()

    async def progress(self) -> Progress:
        """How far this evaluator is; waits until it is ready."""
        await self._ready.wait()
        return Progress(self._lowest(), self._epoch)

    async def status(self) -> dict[str, Any]:
        """Partitions, progress and sizes, for people."""
        return {
            "ready": self._ready.is_set(),
            "partitions": [one.partition for one in self._owned],
            "last_seq": self._lowest(),
            "epoch": self._epoch,
            "clocks": dict(self._clocks),
            "triggers": self._engine.trigger_count,
            "scanned": {str(one): count for one, count in self._engine.scanned().most_common(MOST_SCANNED)},
        }

    def _lowest(self) -> int:
        return min((one.last_seq for one in self._owned), default=self._seen)

    # -- a page -----------------------------------------------------------------------------------------------------

    async def batch(self, page: Page) -> Progress:
        """Work off a page and say how far this evaluator is then.

        A page of an older epoch, one that leaves a gap, and one that is behind already change nothing.
        """
        await self._ready.wait()
        async with self._lock:
            self._clocks.update((one.chain_id, one.time) for one in page.clocks if page.epoch >= self._epoch)
            if page.epoch >= self._epoch and page.after_seq <= self._lowest():
                try:
                    await self._meet_epoch(page.epoch)
                    if self._lowest() < page.last_seq:
                        await self._work_off(page)
                        self._seen = page.last_seq
                    await self._meet_clocks(page.clocks)
                except Exception as error:  # memory is ahead of the stores: load what they hold
                    log.error("batch_given_up", evaluator=self._settings.name, error=repr(error), exc_info=error)
                    self._ready.clear()
                    self._give_up()
                    raise
        return Progress(self._lowest(), self._epoch)

    async def _meet_epoch(self, epoch: int) -> None:
        """A new leader may read another database than the one that this memory is of: a restored one. Raises Fenced."""
        if epoch == self._epoch:
            return
        async with self._pool.acquire() as connection:
            await partitions.check_ours(connection, self._owned)
        self._epoch = epoch

    async def _work_off(self, page: Page) -> None:
        events, versions = parse_rows(page.rows), page.versions
        for retraction in page.retractions:
            if retraction.seq <= self._lowest():
                continue
            before, events = _split(events, retraction.seq)
            early = tuple(one for one in versions if one.from_seq < retraction.seq)
            versions = versions[len(early) :]
            await self._segment(before, early, retraction.seq - 1)
            await self._retract(retraction)
        await self._segment(list(events), versions, page.last_seq)

    async def _segment(self, events: Sequence[Event], versions: Sequence[Version], last_seq: int) -> None:
        """The numbered commit (protocol P14) of everything up to ``last_seq``."""
        behind = [one for one in self._owned if one.last_seq < last_seq]
        if not behind:
            return
        # ① In memory. A crash here: nothing happened, the page comes again.
        began = time.perf_counter()
        outcome = work_off(self._engine, self._owned, events, versions)
        outcome.failures.update((one.trigger_id, one) for one in self._failures())
        evaluated = time.perf_counter()
        changes = self._engine.take_changes()
        if not changes and not outcome.is_any:
            # Nothing to write but the progress. It may wait for the next commit: after a crash these events are met
            # again, and come to nothing again.
            for one in behind:
                one.last_seq = last_seq
            self._measure(outcome, began, evaluated, evaluated)
            return
        # ② One transaction. A crash before its commit: nothing happened. After it: the replay is mute.
        lanes = await self._commit(behind, last_seq, partial(commits.write, outcome, behind, last_seq))
        committed = time.perf_counter()
        self._doorbell.ring(lanes)
        # ③ The changed state to Redis. A crash before it: a longer replay.
        await self._keeper.checkpoint(behind, self._engine, changes)
        # ④ The answer is the caller's return.
        self._measure(outcome, began, evaluated, committed)

    def _failures(self) -> list[firings.Failure]:
        return [firings.Failure(one.trigger_id, one.error, one.count) for one in self._engine.take_failures()]

    async def _commit(
        self, behind: Sequence[Owned], last_seq: int, write: Write, done: Callable[..., Awaitable[bool]] | None = None
    ) -> set[str]:
        """Run ``write`` until it is known to be committed; the rows stay the same.

        ``done`` asks whether it was, where progress does not say it. Raises Fenced when a partition has another owner.
        """
        is_done = done or (lambda connection: partitions.reached(connection, behind, last_seq))
        pause, lanes = RETRY_FIRST_SECONDS, None
        while lanes is None:
            try:
                async with self._pool.acquire() as connection:
                    lanes = await write(connection)
            except ANY_FAILURE as error:
                log.warning("commit_failed", evaluator=self._settings.name, error=repr(error), retry_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_MOST_SECONDS)
                if await self._is_committed(is_done):
                    lanes = set()
        for one in behind:
            one.last_seq = one.stored_seq = last_seq
        return lanes

    async def _is_committed(self, is_done: Callable[..., Awaitable[bool]]) -> bool:
        """Whether a commit whose answer was lost took place after all."""
        try:
            async with self._pool.acquire() as connection:
                return await is_done(connection)
        except AWAY:
            return False

    def _measure(self, outcome: Outcome, began: float, evaluated: float, committed: float) -> None:
        name = self._settings.name
        metrics.events_evaluated(outcome.events, evaluator=name)
        metrics.matches(outcome.fired, evaluator=name)
        metrics.evaluation_errors(len(outcome.failures), evaluator=name)
        metrics.expression_errors(self._engine.take_expression_errors().total(), evaluator=name)
        metrics.batch_seconds(evaluated - began, evaluator=name, step="evaluate")
        metrics.batch_seconds(committed - evaluated, evaluator=name, step="commit")
        metrics.batch_seconds(time.perf_counter() - committed, evaluator=name, step="checkpoint")

    # -- clocks -------------------------------------------------------------------------------------------------------

    async def _meet_clocks(self, clocks: Sequence[Clock]) -> None:
        """Absences that no event told are told by their chain's clock, where the log has come so far (P12, P20)."""
        for last_seq, group in groupby(sorted(self._owned, key=_progress), key=_progress):
            mine = list(group)
            met = [one for one in clocks if self._forks.get(one.chain_id, 0) <= one.seq <= last_seq]
            outcome = tell_absences(self._engine, [one.partition for one in mine], met, last_seq)
            outcome.failures.update((one.trigger_id, one) for one in self._failures())
            changes = self._engine.take_changes()
            if not changes and not outcome.is_any:
                continue
            # The steps of _segment. A crash before ②: nothing happened. After it: a replay meets these clocks mutely.
            kept = partial(partition_clocks.are_kept, partitions=[one.partition for one in mine], clocks=met)
            write = partial(commits.write_clocks, outcome, met, mine, last_seq)
            self._doorbell.ring(await self._commit(mine, last_seq, write, kept))
            await self._keeper.checkpoint(mine, self._engine, changes)
            metrics.matches(outcome.fired, evaluator=self._settings.name)

    # -- a retraction -------------------------------------------------------------------------------------------------

    async def _retract(self, retraction: Retraction) -> None:
        """State and queue as they would be without the retracted events (protocol P18)."""
        behind = [one for one in self._owned if one.last_seq < retraction.seq]
        mine = [one.partition for one in behind]
        outcome = Outcome()

        def keep(part: Outcome) -> None:
            outcome.deliveries += part.deliveries

        async with self._pool.acquire() as connection:
            past = await event_log.retractions(connection, 0, retraction.seq)
            most = retraction.first_seq - 1
            bases = await snapshots.bases(connection, mine, retraction.seq, past, most=most)
            states = {partition: await snapshots.load(connection, partition, seq) for partition, seq in bases.items()}
            ahead = {one.partition: one.last_seq for one in self._owned if one not in behind}
            states |= {partition: self._engine.dump_partition(partition) for partition in ahead}
            engine = await restored(connection, bases | ahead, states)
            await replay(connection, engine, bases, retraction.seq, firing_from=retraction.first_seq, heard=keep)
            told = await recall_absences(connection, engine, bases, forked=retraction.chain_id)
        engine.take_changes()
        lanes = await self._commit(behind, retraction.seq, partial(commits.retract, retraction, outcome, told, behind))
        self._forks[retraction.chain_id] = retraction.seq
        self._engine = engine
        self._doorbell.ring(lanes)
        await self._keeper.checkpoint_whole(behind, engine)
        log.info("retraction_done", evaluator=self._settings.name, chain=retraction.chain_id, seq=retraction.seq)

    # -- snapshots ----------------------------------------------------------------------------------------------------

    async def _snapshot_loop(self) -> None:
        while True:
            await asyncio.sleep(self._settings.snapshot_seconds)
            for owned in self._owned:
                async with self._lock:
                    if self._keeper.is_due(owned):
                        await self._flush()
                        await self._keeper.snapshot(owned, self._engine)

    async def _flush_loop(self) -> None:
        """Progress that had nothing to wait for reaches the database within FLUSH_SECONDS all the same."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if any(one.stored_seq < one.last_seq for one in self._owned):
                async with self._lock:
                    await self._flush()

    async def _flush(self) -> None:
        """Store the progress that is only in memory. Raises Fenced."""
        late = [one for one in self._owned if one.stored_seq < one.last_seq]
        for last_seq, group in groupby(sorted(late, key=_progress), key=_progress):
            mine = list(group)
            await self._commit(mine, last_seq, partial(commits.write, Outcome(), mine, last_seq))


def _progress(one: Owned) -> int:
    return one.last_seq


def _split(events: Any, seq: int) -> tuple[list[Event], Any]:
    """The events before ``seq``, and an iterator over the others."""
    before: list[Event] = []
    rest = iter(events)
    for event in rest:
        if event.seq > seq:
            return before, _chain(event, rest)
        before.append(event)
    return before, iter(())


def _chain(first: Event, rest: Any) -> Any:
    yield first
    yield from rest
