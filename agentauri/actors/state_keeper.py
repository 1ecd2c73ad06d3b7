"""Where an evaluator's state goes beside its memory: checkpoints in Redis, snapshots in PostgreSQL (protocol P16, P17).

Both only shorten a replay. Redis that is away costs its checkpoints and nothing else; a snapshot that cannot be kept
is tried again at the next round. Raises Fenced when a newer owner's checkpoint stands in the way.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from agentauri import logs
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.store import snapshots
from agentauri.store.checkpoints import REDIS_AWAY, Checkpoints
from agentauri.store.database import ANY_FAILURE, Pool
from agentauri.store.partitions import Owned

log = logs.get("evaluator")

REDIS_REST_SECONDS = 2.0
"""After Redis failed, batches go on without checkpoints for this long before it is asked again."""
SNAPSHOT_SEQS = 10_000
"""A partition whose state stays as it is gets a snapshot all the same after so many log rows: replays begin there."""

Changes = Mapping[int, Mapping[str, Any]]
"""By partition the changed keys; None: the key is gone."""


class StateKeeper:
    """The checkpoints and snapshots of one evaluator. Its caller sees to it that one call is under way at a time."""

    def __init__(self, checkpoints: Checkpoints, pool: Pool, name: str) -> None:
        self.checkpoints = checkpoints
        self._pool = pool
        self._name = name
        self._unsnapped: set[int] = set()
        self._snapped: dict[int, int] = {}
        self._rests_until = 0.0

    def rest(self) -> None:
        """Leave Redis alone for a while."""
        self._rests_until = time.monotonic() + REDIS_REST_SECONDS

    async def checkpoint(self, owned: Sequence[Owned], engine: PartitionEvaluator, changes: Changes) -> None:
        """Add what changed to each partition's checkpoint, as of its stored progress."""
        self._unsnapped.update(changes)
        touched = [one for one in owned if one.partition in changes]
        await self._store(touched, lambda one: self._add(one, engine, changes[one.partition]))

    async def checkpoint_whole(self, owned: Sequence[Owned], engine: PartitionEvaluator) -> None:
        """Write the partitions anew: their state is another one."""
        self._unsnapped.update(one.partition for one in owned)
        await self._store(owned, lambda one: self._write(one, engine))

    async def _store(self, owned: Sequence[Owned], store: Any) -> None:
        resting = time.monotonic() < self._rests_until
        try:
            if not resting:
                # All of them to their end, whatever becomes of one: a late one would write a later batch's state.
                done = await asyncio.gather(*(store(one) for one in owned), return_exceptions=True)
                for error in filter(None, done):
                    raise error
                return
        except REDIS_AWAY as error:
            log.warning("checkpoint_failed", evaluator=self._name, error=repr(error), remedy="replays are longer")
            self.rest()
        for one in owned:
            self.checkpoints.adopt(one)

    async def _add(self, one: Owned, engine: PartitionEvaluator, changed: Mapping[str, Any]) -> None:
        if not await self.checkpoints.add(one, one.last_seq, changed):
            await self._write(one, engine)

    async def _write(self, one: Owned, engine: PartitionEvaluator) -> None:
        await self.checkpoints.write(one, one.last_seq, engine.dump_partition(one.partition))

    def is_due(self, owned: Owned) -> bool:
        """Whether a snapshot of the partition is worth its row."""
        late = owned.last_seq - self._snapped.get(owned.partition, 0) >= SNAPSHOT_SEQS
        return late or owned.partition in self._unsnapped

    async def snapshot(self, owned: Owned, engine: PartitionEvaluator) -> None:
        """Keep the whole state of a partition, whose progress is stored, if one is due."""
        if not self.is_due(owned):
            return
        try:
            async with self._pool.acquire() as connection:
                kept = await snapshots.add(connection, owned, engine.dump_partition(owned.partition))
        except ANY_FAILURE as error:
            log.warning("snapshot_failed", evaluator=self._name, error=repr(error), remedy="tried again later")
            return
        if kept:
            self._unsnapped.discard(owned.partition)
            self._snapped[owned.partition] = owned.last_seq
