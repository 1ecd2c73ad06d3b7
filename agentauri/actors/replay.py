"""From stored state to the state at a place in the log: newest usable base, then a replay of what came after it.

Used at an evaluator's start and when it meets a retraction (protocol P15–P18). A replay is mute: it makes state and,
where asked, firings, and writes nothing. Events that a retraction at or below the end took out are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from uuid import UUID

from agentauri.actors.batch import Outcome, work_off
from agentauri.actors.pasts import Past
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.shard import PARTITIONS
from agentauri.models.ids import TriggerId
from agentauri.models.page import Retraction, parse_rows
from agentauri.store import log as event_log
from agentauri.store import partition_clocks, retractions, snapshots, start_work
from agentauri.store.checkpoints import Checkpoints
from agentauri.store.database import Connection
from agentauri.store.log import PageTooLarge, Rows
from agentauri.store.partitions import Owned
from agentauri.store.snapshots import State

REPLAY_PAGE = 2_000
"""Events in a page of a replay: long enough to be cheap, short enough to keep the actor answering."""
LATER = 2**63
"""Progress of a partition that a replay is not about."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An evaluator as of a place in the log, the partitions whose Redis checkpoint was good, and the cost."""

    evaluator: PartitionEvaluator
    from_redis: Sequence[int]
    replayed: int


async def rebuild(connection: Connection, checkpoints: Checkpoints | None, owned: Sequence[Owned]) -> Rebuilt:
    """State of every partition as of its own progress. Forgets checkpoints that must never be used."""
    bases: dict[int, int] = {}
    states: dict[int, State] = {}
    from_redis: list[int] = []
    groups = [list(group) for _, group in groupby(sorted(owned, key=_progress), key=_progress)]
    for group in groups:
        upto = group[0].last_seq
        taken = await event_log.retractions(connection, 0, upto)
        found = await snapshots.bases(connection, [one.partition for one in group], upto, taken)
        tokens = {one.partition: one.token for one in group}
        for partition, seq in found.items():
            await _forget_future(checkpoints, partition, tokens[partition])
            cached = await _cached(checkpoints, partition, seq, upto, taken)
            from_redis += [partition] if cached else []
            bases[partition], states[partition] = cached or (seq, await snapshots.load(connection, partition, seq))
    evaluator, replayed = await restored(connection, bases, states), 0
    for group in groups:
        part = {one.partition: bases[one.partition] for one in group}
        replayed += await replay(connection, evaluator, part, group[0].last_seq)
    await recall_absences(connection, evaluator, bases)
    evaluator.take_changes()
    evaluator.take_failures()
    return Rebuilt(evaluator, from_redis, replayed)


def _progress(one: Owned) -> int:
    return one.last_seq


async def _forget_future(checkpoints: Checkpoints | None, partition: int, token: int) -> None:
    """Remove a checkpoint of an owner after us: of a database that was put back since, it would fence us for long.

    If there is such an owner after all, it finds its checkpoint gone, and writes it anew.
    """
    meta = await checkpoints.meta(partition) if checkpoints else None
    if checkpoints is not None and meta is not None and meta.token > token:
        await checkpoints.forget(partition)


async def _cached(
    checkpoints: Checkpoints | None, partition: int, floor: int, upto: int, taken: Sequence[Retraction]
) -> tuple[int, State] | None:
    """The Redis checkpoint of a partition, if it is complete, usable and newer than the snapshot at ``floor``."""
    meta = await checkpoints.meta(partition) if checkpoints else None
    if checkpoints is None or meta is None:
        return None
    if not snapshots.usable(meta.last_seq, upto, taken):
        await checkpoints.forget(partition)
        return None
    state = await checkpoints.load(partition, meta) if meta.last_seq >= floor else None
    if state is None or await checkpoints.meta(partition) != meta:
        return None  # an old owner wrote in between: what was read may be of two places in the log
    return meta.last_seq, state


async def restored(connection: Connection, bases: Mapping[int, int], states: Mapping[int, State]) -> PartitionEvaluator:
    """An evaluator with each partition's triggers and state as of its own base seq."""
    evaluator = PartitionEvaluator()
    for version in await snapshots.versions_at(connection, bases):
        evaluator.apply_version(TriggerId(version.trigger_id), version.partition, version.definition)
    for partition, state in states.items():
        evaluator.load_partition(partition, state)
    return evaluator


async def replay(
    connection: Connection,
    evaluator: PartitionEvaluator,
    bases: Mapping[int, int],
    upto: int,
    *,
    firing_from: int | None = None,
    heard: Callable[[Outcome], None] = lambda _: None,
) -> int:
    """Work off (base, upto] of these partitions without the events that were retracted by then; returns how many.

    Partitions that ``evaluator`` holds beside them are left as they are. ``heard`` gets the outcomes of events from
    ``firing_from`` on (None: of none).
    """
    after, count, limit = min(bases.values(), default=upto), 0, REPLAY_PAGE
    owned = [Owned(partition, 0, bases.get(partition, LATER)) for partition in range(PARTITIONS)]
    made_anew = await _pasts_anew(connection, bases, upto, firing_from, heard)
    while after < upto:
        rows, limit = await _read(connection, after, upto, limit)
        last = rows.last_seq if rows.count == limit else upto
        versions = [
            replace(one, state=made_anew[one.from_seq], changes=None) if one.from_seq in made_anew else one
            for one in await event_log.versions(connection, after, last)
        ]
        heard(work_off(evaluator, owned, parse_rows(rows.text), versions, firing_from=firing_from))
        evaluator.take_changes()
        evaluator.take_failures()
        after, count = last, count + rows.count
    return count


async def _pasts_anew(
    connection: Connection,
    bases: Mapping[int, int],
    upto: int,
    firing_from: int | None,
    heard: Callable[[Outcome], None],
) -> dict[int, bytes]:
    """What triggers remember that join the log on the way with a past of which something was retracted since.

    By their place in the log. What they joined with has the retracted events in it (protocol P18).
    """
    taken = await event_log.retractions(connection, min(bases.values(), default=upto), upto)
    found: dict[int, bytes] = {}
    for joined in await start_work.list_joined(connection, bases, upto):
        reaching = [one.first_seq for one in taken if one.first_seq < joined.joined_seq < one.seq]
        if not reaching:
            continue
        past = Past.before(joined, min(reaching))
        async for outcome in past.outcomes(connection, joined.joined_seq - 1, upto):
            if firing_from is not None:
                outcome.deliveries = [one for one in outcome.deliveries if one.event_seq >= firing_from]
                heard(outcome)
        found[joined.joined_seq] = past.packed()
    return found


async def recall_absences(
    connection: Connection, evaluator: PartitionEvaluator, bases: Mapping[int, int], *, forked: int | None = None
) -> list[UUID]:
    """Take absences for told that were told since the bases by what no replay meets; their deliveries that stand.

    Those are clocks, of which only the last is kept, and events and clocks of forks that were left since. The chain
    that is ``forked`` just now has no clock: another event may have been its groups' last when it was met.
    """
    watches = evaluator.watches(bases)
    if not watches:
        return []
    await _meet_clocks(connection, evaluator, list(bases), forked)
    told: dict[UUID, dict[UUID, list[UUID]]] = {}
    for one in await retractions.list_told_absences(connection, watches, bases):
        told.setdefault(one.trigger_id, {}).setdefault(one.event_id, []).append(one.delivery_id)
    return [
        delivery_id
        for trigger_id, by_event in told.items()
        for event_id in evaluator.believe(trigger_id, by_event)
        for delivery_id in by_event[event_id]
    ]


async def _meet_clocks(
    connection: Connection, evaluator: PartitionEvaluator, partitions: Sequence[int], forked: int | None
) -> None:
    """Meet, mutely, the clocks that were met before; triggers that joined the log after that have yet to meet them."""
    for clock in await partition_clocks.list_kept(connection, partitions):
        if clock.chain_id == forked:
            continue
        late = await start_work.list_watches_after(connection, clock.partition, clock.met_seq)
        states = {trigger_id: evaluator.dump_trigger(trigger_id) for trigger_id in late}
        evaluator.tick(clock.chain_id, clock.time, (clock.partition,), clock.clock_seq)
        for trigger_id, state in states.items():
            evaluator.recall(trigger_id, state)


async def _read(connection: Connection, after: int, upto: int, limit: int) -> tuple[Rows, int]:
    """Events of a page that is small enough, and the limit with which it was."""
    while True:
        try:
            return await event_log.read_rows(connection, after, upto, limit, kept_at=upto), limit
        except PageTooLarge:
            limit = max(1, limit // 8)
