"""The state that a trigger had at a place in the log, worked out anew: mute, and of this one trigger.

It begins with the newest snapshot, or where the trigger's state began; it applies the versions at their places (P7)
and leaves out what a retraction has taken back (P18). What is read is narrowed to the events that the question can
depend on, and bounded; where events or versions are gone by now, it says so instead of guessing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.shard import partition_of
from agentauri.models.event import Event
from agentauri.models.ids import TriggerId
from agentauri.models.page import Retraction, parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log as event_log
from agentauri.store import partition_clocks, snapshots, stretches, trigger_starts, trigger_versions
from agentauri.store.database import Connection
from agentauri.store.stretches import Agent, Stretch
from agentauri.store.trigger_starts import Begun
from agentauri.store.trigger_versions import Dated

MOST_EVENTS = 100_000
"""Events that are worked off for one answer."""
MOST_VERSIONS = 1_000
AGENT = "agent_id"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log: after ``seq``, without what a retraction at or below ``at`` took out.

    ``event``: only what can matter to this event is asked for, so other groups' states may be left out.
    """

    seq: int
    at: int
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """The version at a place (None: the trigger was off, or not yet made), and the state there (None: not known).

    ``missing`` says what is not kept any more.
    """

    version: Dated | None
    state: dict[str, Any] | None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class _Base:
    """Where a replay begins, and the state there."""

    seq: int
    state: dict[str, Any]


async def find_past(connection: Connection, organization_id: UUID, trigger_id: UUID, place: Place) -> Past:
    """How the trigger stood at a place, by what the log says of its past."""
    newest_first = await trigger_versions.list_versions(
        connection, organization_id, trigger_id, place.seq, MOST_VERSIONS
    )
    if not newest_first:
        return Past(None, None, "The trigger's version from then is not kept any more, or there was none yet.")
    current = newest_first[0]
    if current.definition is None:
        return Past(current, None)
    if not TriggerDefinition.from_json(current.definition).keeps_state:
        return Past(current, {})
    begun = await trigger_starts.find_begun(connection, organization_id, trigger_id)
    base = await _base(connection, trigger_id, newest_first, place, begun)
    if base is None or base.seq < await stretches.dropped_upto(connection):
        return Past(current, None, "Events or versions that the trigger's state is made of are not kept any more.")
    state = await _replay(connection, trigger_id, newest_first, base, place, begun)
    missing = None if state is not None else f"More than {MOST_EVENTS} events lie between a state that is kept and it."
    return Past(current, state, missing)


async def _base(
    connection: Connection, trigger_id: UUID, newest_first: Sequence[Dated], place: Place, begun: Begun | None
) -> _Base | None:
    start = _start(newest_first)
    past = begun if begun is not None and begun.after_seq == start else None
    partition = partition_of(TriggerId(trigger_id))
    retractions = await event_log.retractions(connection, 0, place.at)
    snapshot = await snapshots.find_newest(connection, partition, place.seq, place.at, retractions)
    if snapshot is not None and _is_in(snapshot, start, past):
        mine = f"{trigger_id.hex}:"
        whole = await snapshots.load(connection, partition, snapshot)
        return _Base(snapshot, {key: value for key, value in whole.items() if key.startswith(mine)})
    joined = None if past is None else _where_it_joined(past, place, retractions)
    return joined or (None if start is None else _Base(start, {}))


def _where_it_joined(past: Begun, place: Place, retractions: Sequence[Retraction]) -> _Base | None:
    """What a trigger with a past joined the log with, if that is kept and holds nothing that was taken back since."""
    seq, remembered = past.joined_seq, past.remembered
    if seq is None or remembered is None or seq > place.seq or not snapshots.usable(seq, place.at, retractions):
        return None
    return _Base(seq, remembered)


def _is_in(snapshot: int, start: int | None, past: Begun | None) -> bool:
    """Whether a snapshot holds the present state: evaluators know a trigger with a past since it joined the log."""
    if past is not None:
        return past.joined_seq is not None and snapshot >= past.joined_seq
    return start is None or snapshot > start


def _start(newest_first: Sequence[Dated]) -> int | None:
    """The version with which the present state began, empty; None: it is not kept any more."""
    for version, older in zip(newest_first, [*newest_first[1:], None], strict=True):
        if version.begins or (older is not None and older.definition is None):
            return version.from_seq
    return None


async def _replay(
    connection: Connection,
    trigger_id: UUID,
    newest_first: Sequence[Dated],
    base: _Base,
    place: Place,
    begun: Begun | None,
) -> dict[str, Any] | None:
    waiting = [one for one in reversed(newest_first) if one.from_seq > base.seq]
    first = next((one for one in newest_first if one.from_seq <= base.seq), None)
    evaluator, partition = PartitionEvaluator(), partition_of(TriggerId(trigger_id))
    if first is not None:
        evaluator.apply_version(trigger_id, partition, first.definition)
    evaluator.load_partition(partition, base.state)
    met = ([] if first is None else [first]) + waiting
    whole = Stretch(base.seq, place.seq, place.at, first_block=None if begun is None else begun.first_block)
    stretch, count = _narrowed(whole, met, place.event), 0
    async for page in stretches.pages(connection, stretch):
        count += page.count
        if count > MOST_EVENTS:
            return None
        for one in parse_rows(page.text):
            while waiting and waiting[0].from_seq < one.seq:
                evaluator.apply_version(trigger_id, partition, waiting.pop(0).definition)
            evaluator.evaluate(one)
        evaluator.take_changes()
        await asyncio.sleep(0)  # other requests are answered meanwhile
    for version in waiting:
        evaluator.apply_version(trigger_id, partition, version.definition)
    if place.event is None:  # absences that clocks have told since; an event tells those before it by itself
        for clock in await partition_clocks.list_kept(connection, [partition]):
            if begun is None or (begun.joined_seq is not None and begun.joined_seq <= clock.met_seq):
                evaluator.tick(clock.chain_id, clock.time, [partition], clock.clock_seq)
    return evaluator.dump_partition(partition)


def _narrowed(stretch: Stretch, versions: Sequence[Dated], event: Event | None) -> Stretch:
    """Without events that no version met, or that are of other groups than ``event``."""
    definitions = [TriggerDefinition.from_json(one.definition) for one in versions if one.definition is not None]
    chains = {one.chain_id for one in definitions}
    registries = {one.registry for one in definitions}
    by_agent = event is not None and all(
        AGENT in condition.group_by for one in definitions for condition in one.conditions if condition.is_stateful
    )
    return replace(
        stretch,
        chain_id=chains.pop() if len(chains) == 1 else None,
        registry=registries.pop() if len(registries) == 1 else None,
        agent=Agent(event.agent_id) if event is not None and by_agent else None,
    )
