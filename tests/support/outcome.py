"""What a run under load must have come to: the log is the chain, queue and counters are the plain evaluator's, and the
kept state is that of one evaluator that met the log once.

Shared by the tests that kill what works on the way; they differ in what they kill and in who starts it again.
"""

import asyncio
import random
from collections import Counter
from uuid import UUID

from agentauri.chain.rpc import Rpc
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import Emitter, accounts, give_feedback
from agentauri.engine.reference import ReferenceEvaluator
from agentauri.models.ids import ActionId, EventId, TriggerId, delivery_id
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import checkpoints, log
from agentauri.store.database import Pool
from tests.support.path import Rig
from tests.support.receiver import Receiver
from tests.support.waiting import eventually

AGENTS = 6
FEEDBACK_A_BLOCK = 25
SETTLE_SECONDS = 180.0


async def emit(url: str, address: str, stop: asyncio.Event, dice: random.Random) -> int:
    """Blocks full of feedback until told to stop; returns how many feedbacks there were."""
    rpc, count = Rpc(url), 0
    try:
        contract = Emitter(rpc, address, (await accounts(rpc))[1])
        while not stop.is_set():
            calls = [give_feedback(dice.randrange(AGENTS), dice.randint(0, 100)) for _ in range(FEEDBACK_A_BLOCK)]
            await contract.send_in_one(calls)
            count += len(calls)
            await asyncio.sleep(dice.random() * 0.2)
    finally:
        await rpc.close()
    return count


async def settled(pool: Pool, emitted: int) -> None:
    """Everything indexed, evaluated and delivered. Fails with what is missing."""
    seen: dict[str, int] = {}

    async def done() -> bool:
        async with pool.acquire() as connection:
            head = await log.head(connection)
            row = await connection.fetchrow(
                """SELECT (SELECT count(*) FROM events WHERE event_type = 'NewFeedback') AS events,
                          (SELECT min(last_seq) FROM partitions) AS reached,
                          (SELECT count(*) FROM deliveries WHERE status <> 'delivered') AS undelivered"""
            )
        assert row is not None
        seen.update(row, head=head, emitted=emitted)
        return (row["events"], row["reached"], row["undelivered"]) == (emitted, head, 0)

    try:
        await eventually(done, seconds=SETTLE_SECONDS, pause=0.2)
    except AssertionError as error:
        raise AssertionError(f"not settled: {seen}") from error


async def assert_log_is_the_chain(anvil: Anvil, address: str, pool: Pool) -> None:
    """Every log of the chain is one row, and seq order is the chain's order."""
    logs = anvil.call("eth_getLogs", {"address": address, "fromBlock": "0x0", "toBlock": "latest"})
    rows = await pool.fetch("SELECT block_number, log_index FROM events ORDER BY seq")
    assert [tuple(row) for row in rows] == [(int(one["blockNumber"], 16), int(one["logIndex"], 16)) for one in logs]


async def assert_queue_is_the_reference(pool: Pool, triggers: list[TriggerDefinition], receiver: Receiver) -> None:
    """(trigger, action, event) and the counters are the plain evaluator's; each arrived, with a valid signature."""
    reference, wanted, fired = ReferenceEvaluator(), set(), Counter[UUID]()
    for trigger in triggers:
        reference.apply_version(trigger.id, trigger)
    by_id = {trigger.id: trigger for trigger in triggers}
    async with pool.acquire() as connection:
        rows = await log.read_rows(connection, 0, await log.head(connection), 1_000_000)
    for event in parse_rows(rows.text):
        for match in reference.evaluate(event):
            if not match.silent:
                fired[match.trigger] += 1
                for action in by_id[match.trigger].actions:
                    wanted.add(delivery_id(TriggerId(match.trigger), ActionId(action.id), EventId(event.id)))
    assert {row["id"] for row in await pool.fetch("SELECT id FROM deliveries")} == wanted
    counted = await pool.fetch("SELECT id, fired_count FROM triggers")
    assert {row["id"]: row["fired_count"] for row in counted} == {one.id: fired[one.id] for one in triggers}
    assert {str(one) for one in wanted} == set(receiver.seen)
    assert receiver.unverified == []
    assert all(fired[one.id] for one in triggers)


async def assert_state_is_that_of_one_pass(pool: Pool, database: str, redis_url: str) -> None:
    """What the evaluators kept equals what one evaluator has that meets the log once, from its beginning."""
    rig = Rig(pool, database, redis_url)
    kept = await rig.start()
    states = {one.partition: kept._engine.dump_partition(one.partition) for one in kept._owned}
    await rig.crash(kept)
    await pool.execute("DELETE FROM trigger_state")
    client = checkpoints.connect(redis_url)
    await client.flushall()
    await client.aclose()
    afresh = await rig.start()
    assert states == {one.partition: afresh._engine.dump_partition(one.partition) for one in afresh._owned}
    assert any(states.values())
    await rig.crash_all()
