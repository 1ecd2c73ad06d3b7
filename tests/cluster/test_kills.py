"""Every actor of the path killed again and again while events come in from a real node: nothing is lost, nothing is
enqueued twice, and all state is what it is without kills.

The reference is the plain evaluator over the log as it stands, and the state of an evaluator that meets that log
once, from its beginning. The seed decides who is killed when.
"""

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest

from agentauri.chain.rpc import Rpc
from agentauri.config import Chain
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import Emitter
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import webhook_secrets
from agentauri.store.database import Pool
from agentauri.store.vault import Vault
from tests.support.cluster import SECRET_KEY, PathOnRay, kill_at_random
from tests.support.outcome import (
    assert_log_is_the_chain,
    assert_queue_is_the_reference,
    assert_state_is_that_of_one_pass,
    emit,
    settled,
)
from tests.support.receiver import receiving
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE, make_organization, make_trigger

SEED = 8004
KILLS_EACH = 20


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


@pytest.mark.timeout(600)
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
        load = asyncio.create_task(emit(anvil.url, address, stop, random.Random(SEED)))
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
