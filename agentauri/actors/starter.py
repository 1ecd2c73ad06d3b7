"""Brings triggers that begin in the past to the head of the log, beside the live path, in processes of their own.

Guarantees that what a trigger makes of its past is enqueued once each and that nothing of it is lost, whatever dies
when: each page's deliveries, counters, position and state are one transaction under the worker's token, and the last
one, which holds the log's lock, writes the trigger's first version, so that evaluators go on where it ends. Turns are
short, so that no past holds up the others.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from agentauri import logs
from agentauri.actors import commits
from agentauri.actors.batch import Outcome
from agentauri.actors.pasts import Past
from agentauri.errors import Fenced
from agentauri.models.packed import pack
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import log as event_log
from agentauri.store import start_work, trigger_versions
from agentauri.store.database import Connection
from agentauri.store.firings import DISABLE_AFTER_FAILURES, Failure
from agentauri.store.start_work import Base, Start

log = logs.get("starter")

TURN_SECONDS = 5.0
REST_SEQS = 200
"""So near to the log's head the rest is worked off under the log's lock (protocol P2: it is held shortly)."""
BASE_SEQS = 20_000
"""So far behind the log's head the state is kept from which a retraction is undone: few reach further back."""

Ring = Callable[[Collection[str]], Awaitable[None]]
"""Tells deliverers in which lanes something became due."""


async def take_turn(connection: Connection, ring: Ring, seconds: float = TURN_SECONDS) -> bool:
    """Work for a while on the past whose turn it is; False: there is none."""
    start = await start_work.claim(connection)
    if start is None:
        return False
    turn, until = Turn(connection, start, ring), time.monotonic() + seconds
    try:
        while await turn.step():
            if time.monotonic() >= until:
                await start_work.let_go(connection, start)
                break
            await asyncio.sleep(0)  # where it shares a process, others go on
    except Fenced as error:
        log.info("start_given_up", trigger=str(start.trigger_id), reason=error.message)
    return True


@dataclass(slots=True)
class Seen:
    """The log as it was when looked at: its head, and where retractions that were not met reach down to."""

    head: int
    first_retracted: int | None


class Turn:
    """A past in this worker's hands. Memory that ran ahead of the database goes with the turn that failed."""

    def __init__(self, connection: Connection, start: Start, ring: Ring) -> None:
        self._connection, self._start, self._ring = connection, start, ring
        self._definition = TriggerDefinition.from_json(start.definition)
        self._past = Past(start, position=start.position, state=start.state)

    async def step(self) -> bool:
        """One transaction further; False: the work is over. Raises Fenced where it is another's."""
        seen = await self._look()
        if seen.first_retracted is not None:
            return await self._begin_anew(seen.head, seen.first_retracted)
        if seen.head - self._past.position <= REST_SEQS:
            return await self._join()
        outcome = await self._past.meet(self._connection, seen.head, seen.head)
        return await self._write(outcome, seen.head)

    async def _look(self) -> Seen:
        head = await event_log.head(self._connection)
        met = await event_log.retractions(self._connection, self._start.met_seq, head)
        reaching = [one.first_seq for one in met if one.first_seq <= self._past.position]
        return Seen(head, min(reaching, default=None))

    async def _write(self, outcome: Outcome, head: int) -> bool:
        """What a page came to, the position after it and the state there are one transaction (protocol P14)."""
        outcome.failures.update((one.trigger_id, one) for one in self._take_failures())
        state = self._state()
        base = Base.HERE if head - self._past.position >= BASE_SEQS else Base.STAYS
        async with self._connection.transaction():
            if not await start_work.lock(self._connection, self._start):
                return False
            await self._advance(head, state, base)
            # Last, for a trigger that failed too often takes the log's lock when it is switched off (P2).
            lanes = await commits.write(outcome, (), 0, self._connection)
        self._committed(head, state, base)
        await self._ring(lanes)
        return True

    async def _advance(self, head: int, state: bytes | None, base: Base) -> None:
        position = self._past.position
        await start_work.advance(
            self._connection, self._start, position=position, met_seq=head, until=head, state=state, base=base
        )

    def _state(self) -> bytes | None:
        return self._past.packed() if self._definition.keeps_state else None

    def _committed(self, head: int, state: bytes | None, base: Base) -> None:
        start, position = self._start, self._past.position
        self._past.evaluator.take_changes()
        start.position, start.met_seq, start.state = position, head, state
        if base is not Base.STAYS:
            start.base_seq, start.base_state = (position, state) if base is Base.HERE else (None, None)

    def _take_failures(self) -> list[Failure]:
        return [Failure(one.trigger_id, one.error, one.count) for one in self._past.evaluator.take_failures()]

    async def _begin_anew(self, head: int, first_seq: int) -> bool:
        """State and queue as they would be without events that were taken back after they were met (protocol P18)."""
        past, end, holding = Past.before(self._start, first_seq), self._start.position + 1, []
        base = Base.STAYS if past.position == self._start.base_seq else Base.NONE
        async for part in past.outcomes(self._connection, self._start.position, head):
            holding += [one for one in part.deliveries if one.event_seq >= first_seq]
            await start_work.renew(self._connection, self._start)
        self._past = past
        state = self._state()
        async with self._connection.transaction():
            if not await start_work.lock(self._connection, self._start):
                return False
            await self._advance(head, state, base)
            lanes = await commits.retract_of(self._connection, self._start.trigger_id, first_seq, end, holding)
        self._committed(head, state, base)
        await self._ring(lanes)
        return True

    async def _join(self) -> bool:
        """The rest of the past, and the version with which evaluators go on after it.

        ① The trigger's row, ② the log's lock: from here on nothing comes after the head. ③ The rest in memory, then
        what it came to; ④ the version, whose seq is the trigger's place in the log; ⑤ what it remembers there. A crash
        before the commit: nothing happened. After it: the trigger is live.
        """
        async with self._connection.transaction():
            if not await start_work.lock(self._connection, self._start):
                return False
            await start_work.lock_log(self._connection)
            seen = await self._look()
            if seen.first_retracted is not None or seen.head - self._past.position > 2 * REST_SEQS:
                return True  # the log went on meanwhile; nothing was done yet
            outcome = await self._rest(seen.head)
            failures = self._take_failures()
            is_spent = any(one.count >= DISABLE_AFTER_FAILURES for one in failures)
            outcome.failures.update((one.trigger_id, one) for one in failures)
            lanes = await commits.write(outcome, (), 0, self._connection)
            if not is_spent:
                await self._write_version(seen.head)
        await self._ring(lanes)
        return is_spent

    async def _rest(self, head: int) -> Outcome:
        outcome = Outcome()
        while self._past.position < head:
            outcome.add(await self._past.meet(self._connection, head, head))
        return outcome

    async def _write_version(self, head: int) -> None:
        start, definition = self._start, self._definition
        joined_seq = await trigger_versions.write(
            self._connection,
            trigger_id=start.trigger_id,
            organization_id=start.organization_id,
            partition=start.partition,
            definition=definition,
        )
        state = changes = None
        if definition.keeps_state:
            # Only what the rest has touched: however much is remembered, the log is not held up by it.
            state = start.state or pack({})
            changes = pack(self._past.evaluator.take_changes().get(start.partition, {}))
        await start_work.join(
            self._connection, start, position=head, joined_seq=joined_seq, state=state, changes=changes
        )
        log.info("trigger_joined", trigger=str(start.trigger_id), after=start.after_seq, seq=joined_seq)
