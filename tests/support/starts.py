"""Triggers that begin in the past, brought to the log's head in the process of the tests; and what must come of it."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from agentauri.actors.starter import take_turn
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.reference import Match, ReferenceEvaluator
from agentauri.models.event import Event
from agentauri.models.ids import ActionId, EventId, TriggerId, absence_id, delivery_id
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log
from agentauri.store.database import Pool
from tests.support.path import Rig


class Starts:
    """A worker of pasts; ``rung`` has the lanes that it told deliverers of."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.rung: set[str] = set()

    async def turn(self, seconds: float = 60.0) -> bool:
        """One turn, on a connection of its own; False: there was nothing to do."""

        async def ring(lanes: Collection[str]) -> None:
            self.rung |= set(lanes)

        async with self.pool.acquire() as connection:
            return await take_turn(connection, ring, seconds)

    async def work(self) -> None:
        """Turns until nothing is left to do."""
        while await self.turn():
            pass

    async def free(self) -> None:
        """As if every lease had run out."""
        await self.pool.execute("UPDATE trigger_starts SET lease_until = NULL")

    async def row(self) -> dict[str, Any]:
        """The only start there is."""
        (found,) = await self.pool.fetch("SELECT * FROM trigger_starts")
        return dict(found)


async def expected(
    pool: Pool, trigger: TriggerDefinition, after: int, clocks: dict[int, int] | None = None
) -> set[UUID]:
    """The deliveries that a plain evaluator makes of the events that stand, and the absences due at ``clocks``."""
    reference, wanted = ReferenceEvaluator(), set()
    reference.apply_version(trigger.id, trigger)
    async with pool.acquire() as connection:
        head = await log.head(connection)
        rows = await log.read_rows(connection, after, head, 1_000_000, kept_at=head)
    for event in parse_rows(rows.text):
        for match in reference.evaluate(event):
            wanted |= _ids(trigger, match, event)
    for chain, time in (clocks or {}).items():
        for match in reference.tick(chain, time):
            wanted |= _ids(trigger, match, None)
    return wanted


def _ids(trigger: TriggerDefinition, match: Match, event: Event | None) -> set[UUID]:
    if match.silent:
        return set()
    name, about = (absence_id, match.last) if match.last else (delivery_id, event.id if event else None)
    assert about is not None
    return {name(TriggerId(trigger.id), ActionId(action.id), EventId(about)) for action in trigger.actions}


async def plain_state(rig: Rig, trigger: TriggerDefinition) -> dict[str, Any]:
    """What an evaluator remembers of the events that stand and that met them alone, in one go."""
    evaluator = PartitionEvaluator()
    evaluator.apply_version(trigger.id, 0, trigger.to_json())
    async with rig.pool.acquire() as connection:
        head = await log.head(connection)
        rows = await log.read_rows(connection, 0, head, 1_000_000, kept_at=head)
    for event in parse_rows(rows.text):
        evaluator.evaluate(event)
    return evaluator.dump_partition(0)


async def queue(pool: Pool) -> set[UUID]:
    """Every delivery that is not cancelled."""
    return {row["id"] for row in await pool.fetch("SELECT id FROM deliveries WHERE status <> 'cancelled'")}
