"""Stories of a log and of those who work it off, drawn from a seed: what happens to whom, and when.

The log: events of two chains, edits of triggers, reorganisations, clocks. The workers: one to three evaluators on real
stores, served pages of any size, killed at any step of a commit, replaced by more or fewer; Redis flushed, or back
from an older dump. What all that must come to says the plain evaluator over the log as it stands in the end.
"""

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from agentauri.actors.evaluator import Evaluator
from agentauri.actors.state_keeper import StateKeeper
from agentauri.engine.plan import is_watch
from agentauri.engine.shard import partition_of
from agentauri.models.event import Event
from agentauri.models.ids import DeliveryId, TriggerId, retraction_notice_id
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import firings, partition_clocks, partitions, retractions, snapshots
from agentauri.store.checkpoints import Checkpoints
from agentauri.store.database import Connection
from tests.support.oracle import OnePass, one_pass
from tests.support.path import Gone, Rig
from tests.support.rows import insert_events
from tests.support.triggers import make_organization, put_version
from tests.unit.engine.making import START, World

CHAINS = (1, 2)
EMPTY_SQL = """
    TRUNCATE events, retractions, chains, partition_clocks, trigger_versions, trigger_state, trigger_ledger, deliveries,
        trigger_actions, triggers CASCADE;
    UPDATE partitions SET last_seq = 0"""
PLACES: list[tuple[Any, str]] = [
    (firings, "commit"), (firings, "commit"), (retractions, "retract"), (partitions, "advance"),
    (partition_clocks, "keep"), (partition_clocks, "forget"), (Checkpoints, "add"), (Checkpoints, "write"),
    (Checkpoints, "load"), (snapshots, "add"), (StateKeeper, "checkpoint"), (StateKeeper, "checkpoint_whole"),
    (Evaluator, "_measure"),
]  # fmt: skip
"""Where a process may end: before the call, or just after it."""


class Story:
    """One story. ``tell`` lets it happen; then ``queue`` and ``states`` are held against ``truth``."""

    def __init__(self, rig: Rig, world: World) -> None:
        self._rig, self._world = rig, world
        self._fleet: list[Evaluator] = []
        self._times = dict.fromkeys(CHAINS, 0)
        self._farthest = dict.fromkeys(CHAINS, 0)
        """Of any fork."""
        self._in_order = world.flip()
        """Block times only grow, so that chains' clocks mean something."""
        self._of_silences = self._in_order and world.flip()
        """It is mostly about absences, and about forks that told them or speak against them."""
        self._dumped: dict[bytes, bytes] = {}
        self._triggers: dict[UUID, TriggerDefinition] = {}
        self.happened: list[str] = []

    async def tell(self) -> None:
        """All of it, to the end of the log."""
        await self._rig.pool.execute(EMPTY_SQL)
        await self._rig.flush_redis()
        async with self._rig.pool.acquire() as connection:
            self._organization = await make_organization(connection)
        for number in range(1, self._world.randint(2, 8)):
            await self._edit(number)
        await self._reshard()
        acts = [self._add_events] * 4 + [self._serve] * 4 + [
            self._crash, self._edit, self._retract, self._reshard, self._rig.flush_redis, self._dump, self._restore,
            self._snapshot, self._set_clock, self._leave_empty_blocks, self._deliver, self._deliver,
        ]  # fmt: skip
        acts += [self._serve, self._retract, self._set_clock, self._leave_empty_blocks] * 3 if self._of_silences else []
        for _ in range(self._world.randint(5, 30)):
            act = self._world.choice(acts)
            self.happened.append(act.__name__)
            await act()
        await self._to_the_end()

    # -- the log ------------------------------------------------------------------------------------------------------

    async def _add_events(self) -> None:
        await self._insert([self._world.event() for _ in range(self._world.randint(1, 12))])

    async def _insert(self, drawn: list[Event], chain: int | None = None) -> None:
        rows = []
        for one in drawn:
            chain_id, time = chain or one.chain_id, one.block_timestamp
            if self._in_order:
                self._pass(chain_id, self._world.choice([0, 0, 1, 5, 30]))
                time = START + self._times[chain_id]
            agent = one.agent_id if self._world.random() < 0.3 else self._world.choice([1, 2])
            rows.append({
                "id": UUID(int=self._world.getrandbits(128)), "chain_id": chain_id, "registry": one.registry,
                "event_type": one.event_type, "agent_id": agent, "contract": one.contract,
                "block_number": one.block_number, "block_hash": one.block_hash,
                "block_timestamp": datetime.fromtimestamp(time, UTC), "transaction_hash": one.transaction_hash,
                "log_index": one.log_index, "data": self._usual() | one.data,
            })  # fmt: skip
        async with self._rig.pool.acquire() as connection:
            await insert_events(connection, rows)

    def _draw_trigger(self, number: int) -> TriggerDefinition:
        """Any; absences only where time grows, as it does on every chain."""
        while True:
            draw = self._world.remembering if self._world.random() < 0.7 else self._world.trigger
            draw = self._world.watch if self._of_silences and self._world.random() < 0.7 else draw
            drawn = draw(number)
            if self._in_order or not is_watch(drawn):
                return drawn

    def _usual(self) -> dict[str, Any]:
        return {"score": str(self._world.randint(0, 100)), "tag1": self._world.choice("ab"), "response": 50}

    async def _edit(self, number: int | None = None) -> None:
        """A trigger is made, changed, or turned off."""
        chosen = number or self._world.randint(1, 8)
        if number is None and self._in_order:
            await self._come_as_far()
        drawn = self._draw_trigger(chosen)
        actions = [{
            "id": str(UUID(int=drawn.id.int + 100 * place)), "action_type": "rest", "priority": 0, "enabled": True,
            "notify_retraction": False,
        } for place in range(1, chosen % 2 + 2)]  # fmt: skip
        stored = drawn.to_json() | {"organization_id": str(self._organization), "actions": actions}
        definition = TriggerDefinition.from_json(stored)
        async with self._rig.pool.acquire() as connection, connection.transaction():
            if definition.id not in self._triggers:
                await self._insert_trigger(connection, definition)
            self._triggers[definition.id] = definition
            off = number is None and self._world.random() < 0.2
            await (self._turn_off(connection, definition) if off else put_version(connection, definition))

    async def _come_as_far(self) -> None:
        """Events tell what clocks and left forks had told: with another version, nobody would wait for it any more."""
        for chain in CHAINS:
            self._pass(chain, self._farthest[chain] - self._times[chain])
            await self._insert([self._world.event()], chain)

    def _pass(self, chain: int, seconds: int) -> None:
        self._times[chain] += seconds
        self._farthest[chain] = max(self._farthest[chain], self._times[chain])

    async def _insert_trigger(self, connection: Connection, definition: TriggerDefinition) -> None:
        partition = partition_of(TriggerId(definition.id))
        await connection.execute(
            "INSERT INTO triggers (id, organization_id, name, partition) VALUES ($1, $2, 'story', $3)",
            definition.id, self._organization, partition,
        )  # fmt: skip
        for action in definition.actions:
            await connection.execute(
                """INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, config, destination, lane)
                   VALUES ($1, $2, $3, 'rest', '{"notify_retraction": true}', 'x', 'x')""",
                action.id, definition.id, self._organization,
            )  # fmt: skip

    async def _turn_off(self, connection: Connection, definition: TriggerDefinition) -> None:
        await connection.execute(
            """INSERT INTO trigger_versions (trigger_id, from_seq, organization_id, partition, definition, keeps_state)
               VALUES ($1, 0, $2, $3, NULL, false)""",
            definition.id, self._organization, partition_of(TriggerId(definition.id)),
        )  # fmt: skip

    async def _retract(self) -> None:
        """A chain leaves its newest events, and its time with them; the fork it takes brings an event at once."""
        if self._world.flip():
            await self._serve()
        chain, most = self._world.choice(CHAINS), self._world.choice([3, 20])
        sql = "SELECT seq FROM events WHERE chain_id = $1 AND retracted_at IS NULL ORDER BY seq DESC LIMIT $2"
        seqs = [row[0] for row in await self._rig.pool.fetch(sql, chain, most)]
        if not seqs:
            return
        first = self._world.choice(seqs)
        async with self._rig.pool.acquire() as connection, connection.transaction():
            seq = await connection.fetchval(
                """INSERT INTO retractions (seq, chain_id, fork_block, first_retracted_seq, retracted_count)
                   VALUES (0, $1, 0, $2, 1) RETURNING seq""",
                chain, first,
            )  # fmt: skip
            await connection.execute(
                """UPDATE events SET retracted_at = now(), retracted_seq = $3
                   WHERE chain_id = $1 AND seq >= $2 AND retracted_at IS NULL""",
                chain, first, seq,
            )  # fmt: skip
            await connection.execute("DELETE FROM chains WHERE chain_id = $1", chain)
        await self._turn_back(chain)
        await self._insert([self._world.event() for _ in range(self._world.randint(1, 3))], chain)

    async def _turn_back(self, chain: int) -> None:
        """The fork goes on from the newest event that stands."""
        sql = "SELECT max(block_timestamp) FROM events WHERE chain_id = $1 AND retracted_at IS NULL"
        newest = await self._rig.pool.fetchval(sql, chain)
        self._times[chain] = 0 if newest is None else int(newest.timestamp()) - START

    async def _leave_empty_blocks(self) -> None:
        """A chain leaves blocks without events: nothing is retracted, and its clock goes back."""
        if self._world.flip():
            await self._serve()
        chain = self._world.choice(CHAINS)
        await self._rig.pool.execute("DELETE FROM chains WHERE chain_id = $1", chain)
        await self._turn_back(chain)

    async def _set_clock(self) -> None:
        """A chain has come further than its events; what comes after has later times."""
        if not self._in_order:
            return
        chain = self._world.choice(CHAINS)
        self._pass(chain, self._world.choice([0, 5, 30, 90]))
        await self._rig.pool.execute(
            """INSERT INTO chains (chain_id, name, block_number, confirmed_time, confirmed_seq)
               VALUES ($1, 'story', 0, to_timestamp($2), $3) ON CONFLICT (chain_id) DO UPDATE
               SET confirmed_time = excluded.confirmed_time, confirmed_seq = excluded.confirmed_seq""",
            chain, START + self._times[chain], await self._rig.head(),
        )  # fmt: skip
        self._pass(chain, 1)

    # -- those who work it off ----------------------------------------------------------------------------------------

    async def _reshard(self) -> None:
        """More or fewer evaluators; the ones before were ended, or do not know yet that they are none any more."""
        old, count = self._fleet, self._world.randint(1, 3)
        ended = self._world.choice([self._rig.crash, Evaluator.drain, None])
        if ended is not None:
            for one in old:
                await ended(one)
        self._fleet = [await self._rig.start(index=index, evaluators=count) for index in range(count)]
        for one in old:
            if ended is None:
                await self._served_or_gone(one, 1)
                await self._rig.crash(one)

    async def _crash(self) -> None:
        await self._replace(self._world.randrange(len(self._fleet)))

    async def _replace(self, index: int) -> None:
        await self._rig.crash(self._fleet[index])
        self._fleet[index] = await self._rig.start(index=index, evaluators=len(self._fleet))

    async def _serve(self) -> None:
        """Some evaluators get some pages, of any size; one may be killed over them."""
        for index in self._world.sample(range(len(self._fleet)), self._world.randint(1, len(self._fleet))):
            with ExitStack() as stack:
                if self._world.random() < 0.6:
                    stack.enter_context(self._deadly_place())
                if not await self._served_or_gone(self._fleet[index], self._world.randint(1, 4)):
                    self.happened[-1] += " †"
                    await self._rig.crash(self._fleet[index])
            if self._is_gone(self._fleet[index]) or self.happened[-1].endswith("†"):
                await self._replace(index)

    def _is_gone(self, evaluator: Evaluator) -> bool:
        """It gave up, or what it does by itself met the end of the process."""
        return not evaluator._ready.is_set() or any(one.done() for one in evaluator._tasks)

    async def _served_or_gone(self, evaluator: Evaluator, pages: int) -> bool:
        self._rig._page_rows = self._world.choice([1, 2, 7, 50])
        self._rig.read_anew()
        try:
            for _ in range(pages):
                progress = await evaluator.progress()
                shared = await self._rig.reader.page(progress.last_seq)
                if shared is None:
                    await self._rig.serve_clocks(evaluator)
                else:
                    await evaluator.batch(shared.page)
        except Gone:
            return False
        return True

    def _deadly_place(self) -> Any:
        """Somewhere, some time, the process ends."""
        owner, name = self._world.choice(PLACES)
        real, left, after = getattr(owner, name), self._world.choice([0, 0, 0, 1, 3]), self._world.flip()

        def is_last() -> bool:
            nonlocal left
            left -= 1
            return left < 0

        async def call(*arguments: Any, **more: Any) -> Any:
            last = is_last()
            if last and not after:
                raise Gone
            answer = await real(*arguments, **more)
            if last:
                raise Gone
            return answer

        def call_now(*arguments: Any, **more: Any) -> Any:
            if is_last():
                raise Gone
            return real(*arguments, **more)

        return patch.object(owner, name, call_now if name == "_measure" else call)

    async def _snapshot(self) -> None:
        for one in self._fleet:
            for owned in one._owned:
                async with one._lock:
                    await one._flush()
                    await one._keeper.snapshot(owned, one._engine)

    async def _to_the_end(self) -> None:
        for chain in CHAINS if self._in_order else ():
            self._times[chain] += 200
        for index in range(len(self._fleet)):
            if self._world.flip():
                await self._replace(index)
            await self._serve_all(self._fleet[index])
        for chain in CHAINS if self._in_order else ():
            await self._rig.pool.execute(
                """INSERT INTO chains (chain_id, name, block_number, confirmed_time, confirmed_seq)
                   VALUES ($1, 'story', 0, to_timestamp($2), 0) ON CONFLICT (chain_id) DO UPDATE
                   SET confirmed_time = excluded.confirmed_time""",
                chain, START + self._times[chain],
            )  # fmt: skip
            await self._rig.pool.execute("UPDATE chains SET confirmed_seq = $1", await self._rig.head())
        for one in self._fleet:
            await self._rig.serve_clocks(one)

    async def _serve_all(self, evaluator: Evaluator) -> None:
        self._rig.read_anew()
        await self._rig.serve(evaluator)

    async def _dump(self) -> None:
        self._dumped = await self._rig.dump_redis()

    async def _restore(self) -> None:
        await self._rig.restore_redis(self._dumped)

    async def _deliver(self) -> None:
        """Some of what waits reaches its receiver."""
        rows = await self._rig.pool.fetch("SELECT id FROM deliveries WHERE status = 'pending' ORDER BY id")
        some = [row["id"] for row in rows if self._world.flip()]
        await self._rig.pool.execute("UPDATE deliveries SET status = 'delivered' WHERE id = ANY($1)", some)

    # -- what it came to ----------------------------------------------------------------------------------------------

    def states(self) -> dict[int, Any]:
        """State by partition, of all evaluators together."""
        return {
            one.partition: fleet._engine.dump_partition(one.partition) for fleet in self._fleet for one in fleet._owned
        }

    async def queue(self) -> set[UUID]:
        """The deliveries that stand."""
        sql = "SELECT id FROM deliveries WHERE type = 'trigger.fired' AND status <> 'cancelled' AND NOT retracted"
        return {row["id"] for row in await self._rig.pool.fetch(sql)}

    async def misled(self) -> set[UUID]:
        """Delivered and not so, without a notice; or so, and a notice went out or waits."""
        rows = await self._rig.pool.fetch(
            "SELECT id, type, status, retracted FROM deliveries WHERE status <> 'cancelled'"
        )
        taken = {row["id"] for row in rows if row["type"] == "trigger.fired" and row["retracted"]}
        notices = {row["id"] for row in rows if row["type"] == "trigger.retracted"}
        return {retraction_notice_id(DeliveryId(one)) for one in taken} ^ notices

    async def truth(self) -> OnePass:
        """What it should have come to."""
        clocks = {chain: START + time for chain, time in self._times.items()} if self._in_order else None
        return await one_pass(self._rig.pool, clocks)
