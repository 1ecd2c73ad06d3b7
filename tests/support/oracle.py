"""What a log comes to when it is met once from its beginning, as it stands now: nothing retracted, nobody killed.

Deliveries are those of the plain evaluator, state is that of the engine, which other tests hold to the plain one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.reference import Match, ReferenceEvaluator
from agentauri.engine.shard import PARTITIONS
from agentauri.models.event import Event
from agentauri.models.ids import ActionId, EventId, TriggerId, absence_id, delivery_id
from agentauri.models.page import Version, parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log
from agentauri.store.database import Pool


@dataclass
class OnePass:
    """The ids of the deliveries that stand, and state by partition."""

    queue: set[UUID] = field(default_factory=set)
    states: dict[int, Any] = field(default_factory=dict)


class _Walk:
    def __init__(self) -> None:
        self.queue: set[UUID] = set()
        self.engine = PartitionEvaluator()
        self._plain = ReferenceEvaluator()

    def apply(self, version: Version) -> None:
        stored = version.definition
        definition = None if stored is None else TriggerDefinition.from_json(stored)
        self._plain.apply_version(version.trigger_id, definition)
        self.engine.apply_version(version.trigger_id, version.partition, stored)

    def meet(self, event: Event) -> None:
        for match in self._plain.evaluate(event):
            self._enqueue(match, event.id)
        self.engine.evaluate(event)

    def tick(self, chain_id: int, time: int) -> None:
        for match in self._plain.tick(chain_id, time):
            self._enqueue(match, match.last)
        self.engine.tick(chain_id, time, range(PARTITIONS))

    def _enqueue(self, match: Match, event_id: UUID | None) -> None:
        if match.silent or event_id is None:
            return
        name = delivery_id if match.last is None else absence_id
        for action in self._plain.definitions[match.trigger].actions:
            about = EventId(event_id if match.last is None else match.last)
            self.queue.add(name(TriggerId(match.trigger), ActionId(action.id), about))


async def one_pass(pool: Pool, clocks: Mapping[int, int] | None = None) -> OnePass:
    """Meet the whole log; ``clocks``: how far the chains have come in the end, seconds since 1970 by chain."""
    async with pool.acquire() as connection:
        head = await log.head(connection)
        rows = await log.read_rows(connection, 0, head, 1_000_000, kept_at=head)
        waiting = list(reversed(await log.versions(connection, 0, head)))
    walk = _Walk()
    for event in parse_rows(rows.text):
        while waiting and waiting[-1].from_seq < event.seq:
            walk.apply(waiting.pop())
        walk.meet(event)
    for version in reversed(waiting):
        walk.apply(version)
    for chain_id, time in (clocks or {}).items():
        walk.tick(chain_id, time)
    return OnePass(walk.queue, {partition: walk.engine.dump_partition(partition) for partition in range(PARTITIONS)})
