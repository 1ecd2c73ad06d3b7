"""The fixtures hold what they promise."""

import time

import redis.asyncio

from agentauri.demo.anvil import Anvil
from agentauri.store.database import Pool


async def test_database_is_migrated_and_empty(pool: Pool) -> None:
    assert await pool.fetchval("SELECT count(*) FROM events") == 0
    await pool.execute("INSERT INTO lanes (lane) VALUES ('left by a test')")


async def test_database_has_nothing_of_another_test(pool: Pool) -> None:
    assert await pool.fetchval("SELECT count(*) FROM lanes") == 0


async def test_redis_is_flushed_and_refuses_to_evict(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"


def test_anvil_answers_with_its_chain_id(anvil: Anvil) -> None:
    assert int(anvil.call("eth_chainId"), 16) == anvil.chain_id
    assert abs(int(anvil.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16) - time.time()) < 3600
