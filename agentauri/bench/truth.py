"""What ``bench recovery`` is held to: the log met once from its beginning, by an engine that nobody kills.

The engine is the evaluator's own, in this process; a sample of the agents is held to the reference evaluator besides.
"""

# all organizations: a bench has one

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from agentauri.bench.path import Wrong
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.plan import Firing
from agentauri.engine.reference import ReferenceEvaluator
from agentauri.engine.shard import PARTITIONS, partition_of
from agentauri.models.event import Event
from agentauri.models.ids import ActionId, EventId, TriggerId, delivery_id
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log, snapshots
from agentauri.store.database import Connection

PAGE_ROWS = 10_000
SAMPLED_AGENTS = 500


@dataclass
class Truth:
    """What the whole log comes to: deliveries, firings by trigger, and state by partition."""

    deliveries: set[UUID] = field(default_factory=set)
    fired: Counter[UUID] = field(default_factory=Counter)
    states: dict[int, Any] = field(default_factory=dict)

    @property
    def state_count(self) -> int:
        """How many states there are in the end."""
        return sum(map(len, self.states.values()))


class _Sample:
    """The plain rules for some agents. ``check`` raises Wrong where they fire something else."""

    def __init__(self, triggers: Sequence[TriggerDefinition]) -> None:
        """``triggers``: all that meet events of the sampled agents, and no other's."""
        self._reference = ReferenceEvaluator()
        for trigger in triggers:
            self._reference.apply_version(trigger.id, trigger)

    def check(self, event: Event, firings: Sequence[Firing]) -> None:
        if event.agent_id is None or event.agent_id >= SAMPLED_AGENTS:
            return
        found = sorted((one.trigger_id, one.cooled_down) for one in firings)
        expected = sorted((one.trigger, one.silent) for one in self._reference.evaluate(event))
        if found != expected:
            raise Wrong(f"event {event.seq} fires {len(found)} triggers, of the reference {len(expected)}")


async def work_out(
    connection: Connection, triggers: Sequence[TriggerDefinition], sampled: Sequence[TriggerDefinition]
) -> Truth:
    """Meet the whole log once. ``sampled`` are the triggers of the first SAMPLED_AGENTS agents. Raises Wrong."""
    engine, sample, truth = PartitionEvaluator(), _Sample(sampled), Truth()
    actions = {one.id: one.actions for one in triggers}
    for one in triggers:
        engine.apply_version(one.id, partition_of(TriggerId(one.id)), orjson.loads(orjson.dumps(one.to_json())))
    after, head = 0, await log.head(connection)
    while after < head:
        rows = await log.read_rows(connection, after, head, PAGE_ROWS)
        for event in parse_rows(rows.text):
            firings = engine.evaluate(event)
            sample.check(event, firings)
            for firing in firings:
                truth.fired[firing.trigger_id] += 1
                for action in actions[firing.trigger_id]:
                    ids = TriggerId(firing.trigger_id), ActionId(action.id), EventId(event.id)
                    truth.deliveries.add(delivery_id(*ids))
        engine.take_changes()
        after = rows.last_seq or head
    truth.states = {partition: _as_json(engine.dump_partition(partition)) for partition in range(PARTITIONS)}
    return truth


async def check(connection: Connection, truth: Truth) -> None:
    """Hold the queue, the counters and the kept state to it. Raises Wrong."""
    found = [row["id"] for row in await connection.fetch("SELECT id FROM deliveries")]
    lost, strange = len(truth.deliveries.difference(found)), len(set(found) - truth.deliveries)
    if lost or strange or len(found) != len(truth.deliveries):
        raise Wrong(f"of {len(truth.deliveries)} deliveries {lost} are lost; {strange} should not be there")
    rows = await connection.fetch("SELECT id, fired_count FROM triggers WHERE fired_count > 0")
    if {row["id"]: row["fired_count"] for row in rows} != dict(truth.fired):
        raise Wrong("the counters of the triggers are not what they should be")
    await _check_states(connection, truth.states)


async def _check_states(connection: Connection, states: Mapping[int, Any]) -> None:
    newest = await connection.fetch("SELECT partition, max(last_seq) AS seq FROM trigger_state GROUP BY 1")
    kept = {row["partition"]: await snapshots.load(connection, row["partition"], row["seq"]) for row in newest}
    wrong = [partition for partition, state in states.items() if kept.get(partition, {}) != state]
    if wrong:
        raise Wrong(f"the state of {len(wrong)} partitions is not what it should be")


def _as_json(state: Mapping[str, Any]) -> Any:
    return orjson.loads(orjson.dumps(state))
