"""Step ① of an evaluator's commit: a stretch of the log against the triggers in memory, and what it comes to.

Pure: no I/O, no clock. Versions take effect exactly at their place among the events (protocol P7), and a partition
skips what it has worked off already (P14). What fires becomes rows with derived ids (P5, architecture §2.3).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from agentauri import logs
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.plan import Firing
from agentauri.engine.watch import Silenced
from agentauri.models.event import Event
from agentauri.models.ids import ActionId, EventId, TriggerId, absence_id, delivery_id
from agentauri.models.page import Clock, Version
from agentauri.store.firings import Failure, NewDelivery, Tally
from agentauri.store.partitions import Owned

log = logs.get("evaluator")

NONE: frozenset[int] = frozenset()
CONTEXT_BYTES = 1_200
"""About what a delivery's context takes beside the event's data."""


class Told(NamedTuple):
    """An absence that fired: its deliveries, and where it is counted.

    It may have been told before (a fork took back what came after it), and its deliveries be there, or cancelled.
    """

    deliveries: tuple[NewDelivery, ...]
    trigger_id: UUID
    day: date


@dataclass(slots=True)
class Outcome:
    """What a stretch of the log came to."""

    deliveries: list[NewDelivery] = field(default_factory=list)
    tallies: dict[tuple[UUID, date], Tally] = field(default_factory=dict)
    failures: dict[UUID, Failure] = field(default_factory=dict)
    absences: list[Told] = field(default_factory=list)
    withdrawn: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Absences that were told and did not come about, by trigger and last event."""
    events: int = 0
    fired: int = 0

    @property
    def is_any(self) -> bool:
        """Whether anything beside the progress is to be written."""
        return bool(self.tallies or self.failures)

    def add(self, later: "Outcome") -> None:
        """Take in what the stretch after this one came to."""
        self.deliveries += later.deliveries
        self.absences += later.absences
        self.withdrawn += later.withdrawn
        self.failures |= later.failures
        self.events += later.events
        self.fired += later.fired
        for (trigger_id, day), one in later.tallies.items():
            mine = self.tally(trigger_id, day)
            mine.matched += one.matched
            mine.cooled_down += one.cooled_down
            mine.fired += one.fired
            mine.last_fired = max(mine.last_fired, one.last_fired)

    def tally(self, trigger_id: UUID, day: date) -> Tally:
        """The counts of a trigger on a day, made at first use."""
        found = self.tallies.get((trigger_id, day))
        if found is None:
            found = self.tallies[(trigger_id, day)] = Tally(trigger_id, day)
        return found


@lru_cache(maxsize=1024)
def _day_number(days: int) -> date:
    return datetime.fromtimestamp(days * 86_400, UTC).date()


def day_of(seconds: int) -> date:
    """The UTC day of a block time."""
    return _day_number(seconds // 86_400)


class _Skip:
    """Which partitions have worked off a seq already; recomputed only where the answer changes."""

    def __init__(self, owned: Sequence[Owned]) -> None:
        self._last = {one.partition: one.last_seq for one in owned}
        self._until = 0
        self._skip = NONE

    def at(self, seq: int) -> frozenset[int]:
        if seq > self._until:
            ahead = {partition: last for partition, last in self._last.items() if last >= seq}
            self._skip = frozenset(ahead)
            self._until = min(ahead.values()) if ahead else 2**63
        return self._skip

    def has(self, partition: int, seq: int) -> bool:
        return self._last.get(partition, seq) < seq


def work_off(
    evaluator: PartitionEvaluator,
    owned: Sequence[Owned],
    events: Iterable[Event],
    versions: Sequence[Version],
    *,
    firing_from: int | None = 0,
) -> Outcome:
    """Evaluate ``events`` with ``versions`` at their places. Rows are made from ``firing_from`` on (None: none)."""
    outcome, skip = Outcome(), _Skip(owned)
    waiting = list(reversed(versions))
    evaluate = evaluator.evaluate
    for event in events:
        seq = event.seq
        while waiting and waiting[-1].from_seq < seq:
            _apply(evaluator, skip, waiting.pop())
        outcome.events += 1
        try:
            firings = evaluate(event, skip.at(seq))
            if firings and firing_from is not None and seq >= firing_from:
                collect(outcome, seq, firings, event)
        except Exception as error:  # P4: what no check foresaw costs this event, never the batch
            log.error("event_failed", seq=seq, error=repr(error), exc_info=error)
    while waiting:
        _apply(evaluator, skip, waiting.pop())
    outcome.withdrawn = evaluator.take_withdrawn()
    return outcome


def _apply(evaluator: PartitionEvaluator, skip: _Skip, version: Version) -> None:
    if skip.has(version.partition, version.from_seq):
        id_, remembered = TriggerId(version.trigger_id), version.remembered
        evaluator.apply_version(id_, version.partition, version.definition, remembered)


class About(NamedTuple):
    """What a firing is about: an event as it is shown, its day, about how large its data are; and when it fired."""

    event_id: UUID
    public: dict[str, Any]
    day: date
    data_bytes: int
    time: int


def _met(event: Event) -> About:
    time = event.block_timestamp
    return About(event.id, event.storable(), day_of(time), len(event.data_json), time)


def _missed(silence: Silenced) -> About:
    public = orjson.loads(silence.event)
    return About(UUID(public["id"]), public, day_of(silence.time), len(silence.event), silence.due)


def collect(outcome: Outcome, seq: int, firings: Sequence[Firing], event: Event | None = None) -> None:
    """Make the rows and counts of firings at a place in the log.

    ``event`` made them fire, but for absences: those are about the last event before, and the place is where they were
    told.
    """
    met = None
    for firing in firings:
        if firing.silence is not None:
            _count(outcome, firing, _missed(firing.silence), seq)
        elif event is not None:
            met = met or _met(event)
            _count(outcome, firing, met, seq)


def _count(outcome: Outcome, firing: Firing, about: About, seq: int) -> None:
    # By the day of the event that it is about, as its deliveries are: a silence may last past midnight.
    tally = outcome.tally(firing.trigger_id, about.day)
    tally.matched += 1
    if firing.cooled_down:
        tally.cooled_down += 1
        return
    tally.fired += 1
    tally.last_fired = max(tally.last_fired, about.time)
    outcome.fired += 1
    context = {
        "event": about.public,
        "trigger": {"id": str(firing.trigger_id), "name": firing.name},
        "computed": firing.computed,
    }
    size = CONTEXT_BYTES + about.data_bytes
    name = delivery_id if firing.silence is None else absence_id
    rows = [
        NewDelivery(
            name(TriggerId(firing.trigger_id), ActionId(action.id), EventId(about.event_id)),
            firing.trigger_id, action.id, about.event_id, seq, context, size, firing.keeps_state,
            about.time, about.day,
        )
        for action in firing.actions
        if action.enabled
    ]  # fmt: skip
    outcome.deliveries += rows
    if firing.silence is not None and rows:
        outcome.absences.append(Told(tuple(rows), tally.trigger_id, tally.day))


def tell_absences(
    evaluator: PartitionEvaluator, partitions: Collection[int], clocks: Sequence[Clock], seq: int
) -> Outcome:
    """What falls due when the chains have come so far, in partitions that stand at ``seq``."""
    outcome = Outcome()
    for clock in clocks:
        collect(outcome, seq, evaluator.tick(clock.chain_id, clock.time, partitions, clock.seq))
    return outcome
