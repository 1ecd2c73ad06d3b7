"""Every actor of the path killed again and again while events come in from a real node: nothing is lost, nothing is
enqueued twice, and all state is what it is without kills.

The reference is the plain evaluator over the log as it stands, and the state of an evaluator that meets that log
once, from its beginning. The seed decides who is killed when.
"""

import asyncio
import random
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from agentauri.chain.rpc import Rpc
from agentauri.config import Chain
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import Emitter, give_feedback
from agentauri.engine.reference import ReferenceEvaluator
from agentauri.models.ids import ActionId, EventId, TriggerId, delivery_id
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import checkpoints, log, webhook_secrets
from agentauri.store.database import Pool
from agentauri.store.vault import Vault
from tests.support.cluster import SECRET_KEY, PathOnRay, kill_at_random
from tests.support.path import Rig
from tests.support.receiver import Receiver, receiving
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE, make_organization, make_trigger
from tests.support.waiting import eventually

SEED = 8004
KILLS_EACH = 20
AGENTS = 6
FEEDBACK_A_BLOCK = 25
SETTLE_SECONDS = 60.0


async def make_triggers(pool: Pool, url: str) -> tuple[UUID, list[TriggerDefinition]]:
    """An organization with one trigger of each kind that matters here."""
    quick: dict[str, Any] = {"action_config": {"timeout_seconds": 2}, "url": url}
    async with pool.acquire() as connection:
        organization = await make_organization(connection)
        agent = {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": 3}
        made = [
            await make_trigger(connection, organization, [LOW_SCORE], actions=2, **quick),
            await make_trigger(connection, organization, [agent, LOW_SCORE], **quick),
            await make_trigger(connection, organization, [EMA_LOW], fire="on_change", **quick),
            await make_trigger(connection, organization, [LOW_SCORE, BURST], cooldown_seconds=5, **quick),
        ]
    return organization, made


async def emit(url: str, address: str, stop: asyncio.Event) -> int:
    """Blocks full of feedback until told to stop; returns how many feedbacks there were."""
    dice, count = random.Random(SEED), 0
    rpc = Rpc(url)
    try:
        contract = (await Emitter.deploy(rpc)).as_sender(str((await rpc.ask("eth_accounts"))[1]))  # type: ignore[index]  # JSON
        contract.address = address
        while not stop.is_set():
            calls = [give_feedback(dice.randrange(AGENTS), dice.randint(0, 100)) for _ in range(FEEDBACK_A_BLOCK)]
            await contract.send_in_one(calls)
            count += len(calls)
            await asyncio.sleep(dice.random() * 0.2)
    finally:
        await rpc.close()
    return count


@pytest.mark.timeout(420)
async def test_eighty_kills_change_neither_queue_nor_state(
    anvil: Anvil, database: str, pool: Pool, redis_url: str, namespace: str
) -> None:
    rpc = Rpc(anvil.url)
    address = (await Emitter.deploy(rpc)).address
    await rpc.close()
    chain = Chain(
        name="anvil", id=anvil.chain_id, rpc_urls=(anvil.url,), poll_interval_ms=100, confirmations=0,
        identity="", reputation=address, validation="",
    )  # fmt: skip
    async with receiving() as receiver:
        organization, triggers = await make_triggers(pool, receiver.url)
        async with pool.acquire() as connection, connection.transaction():
            receiver.secret = await first_secret(connection, organization)
        path = PathOnRay(database, redis_url, namespace, (chain,))
        await path.start()
        stop = asyncio.Event()
        load = asyncio.create_task(emit(anvil.url, address, stop))
        await kill_at_random(path, random.Random(SEED), KILLS_EACH)
        stop.set()
        emitted = await load
        await settled(pool, emitted)
        await path.stop()
        assert path.kills == dict.fromkeys(("indexer", "listener", "evaluator", "deliverer"), KILLS_EACH)
        await assert_log_is_the_chain(anvil, address, pool)
        await assert_queue_is_the_reference(pool, triggers, receiver)
    await assert_state_is_that_of_one_pass(pool, database, redis_url)


async def first_secret(connection: Any, organization: UUID) -> str:
    """A signing secret of the organization."""
    vault = Vault(SECRET_KEY)
    _, secret = await webhook_secrets.create_secret(connection, vault, organization_id=organization, created_by=None)
    return secret


async def settled(pool: Pool, emitted: int) -> None:
    """Everything indexed, evaluated and delivered."""

    async def done() -> bool:
        async with pool.acquire() as connection:
            head = await log.head(connection)
            row = await connection.fetchrow(
                """SELECT (SELECT count(*) FROM events WHERE event_type = 'NewFeedback') AS events,
                          (SELECT min(last_seq) FROM partitions) AS reached,
                          (SELECT count(*) FROM deliveries WHERE status <> 'delivered') AS undelivered"""
            )
        assert row is not None
        return (row["events"], row["reached"], row["undelivered"]) == (emitted, head, 0)

    await eventually(done, seconds=SETTLE_SECONDS, pause=0.2)


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
        for trigger_id, _, _, cooled_down in reference.evaluate(event):
            if not cooled_down:
                fired[trigger_id] += 1
                for action in by_id[trigger_id].actions:
                    wanted.add(delivery_id(TriggerId(trigger_id), ActionId(action.id), EventId(event.id)))
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
