"""A trigger's past in memory: its events met in order from no state, or from where the work was left off.

Reads the log and writes nothing. Used by the worker that brings a trigger to the log's head, and by evaluators where a
retraction reaches back into a past that was worked off before it (protocol P18).
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from agentauri.actors.batch import Outcome, work_off
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.plan import is_watch
from agentauri.models.packed import pack, unpack
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log as event_log
from agentauri.store.database import Connection
from agentauri.store.log import PageTooLarge, Rows
from agentauri.store.start_work import Joined, Start
from agentauri.store.stretches import Stretch

PAGE_ROWS = 5_000
SPAN_SEQS = 20_000
"""A page is looked for among so many log rows: where few concern the trigger, a statement would run for minutes, and
where PostgreSQL has not counted the table it sorts them all."""


class Past:
    """One trigger, and how far it has met its past."""

    def __init__(self, begun: Start | Joined, *, position: int | None = None, state: bytes | None = None) -> None:
        """At ``position`` with ``state``; without them at its beginning."""
        self._begun = begun
        self.position = begun.after_seq if position is None else position
        self.evaluator = PartitionEvaluator()
        remembered = None if state is None else unpack(state)
        self.evaluator.apply_version(begun.trigger_id, begun.partition, begun.definition, remembered)
        self.evaluator.take_changes()
        definition = TriggerDefinition.from_json(begun.definition)
        # Every event of a chain tells its absences: those that the trigger looks past, too.
        registry = None if is_watch(definition) else definition.registry
        self._stretch = Stretch(0, 0, 0, definition.chain_id, registry, first_block=begun.first_block)
        self._limit = PAGE_ROWS

    @classmethod
    def before(cls, begun: Start | Joined, seq: int) -> "Past":
        """At a place before ``seq``, as late as there is one: its base, or its beginning."""
        if begun.base_seq is not None and begun.base_seq < seq:
            return cls(begun, position=begun.base_seq, state=begun.base_state)
        return cls(begun)

    async def meet(self, connection: Connection, upto: int, kept_at: int) -> Outcome:
        """Meet the next page of events up to ``upto``, less what a retraction at or below ``kept_at`` took out."""
        end = min(upto, self.position + SPAN_SEQS)
        rows = await self._read(connection, replace(self._stretch, after=self.position, upto=end, kept_at=kept_at))
        outcome = work_off(self.evaluator, (), parse_rows(rows.text), ())
        self.position = rows.last_seq if rows.count == self._limit else end
        return outcome

    async def _read(self, connection: Connection, stretch: Stretch) -> Rows:
        while True:
            try:
                return await event_log.copy_rows(connection, stretch.where(), self._limit)
            except PageTooLarge:
                self._limit = max(1, self._limit // 8)

    async def outcomes(self, connection: Connection, upto: int, kept_at: int) -> AsyncIterator[Outcome]:
        """Meet everything up to ``upto``; what each page came to."""
        while self.position < upto:
            yield await self.meet(connection, upto, kept_at)
            self.evaluator.take_changes()
            self.evaluator.take_failures()

    def packed(self) -> bytes:
        """What the trigger remembers at its position."""
        return pack(self.evaluator.dump_trigger(self._begun.trigger_id))
