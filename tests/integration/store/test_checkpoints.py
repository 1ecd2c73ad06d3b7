"""Checkpoints in a real Valkey: a part counts only on top of what its owner wrote last."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from agentauri.errors import Fenced, StartError
from agentauri.store import checkpoints as module
from agentauri.store.checkpoints import Checkpoints
from agentauri.store.database import Pool
from agentauri.store.partitions import Owned


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = module.connect(redis_url)
    yield client
    await client.aclose()


async def load(checkpoints: Checkpoints, partition: int) -> tuple[int, dict[str, object] | None] | None:
    meta = await checkpoints.meta(partition)
    return None if meta is None else (meta.last_seq, await checkpoints.load(partition, meta))


async def test_parts_add_up_to_the_whole(redis: Redis) -> None:
    mine, owned = Checkpoints(redis, "t"), Owned(3, 1, 10)
    await mine.write(owned, 10, {"a": [1, 0.1], "b": 2})
    assert await mine.add(owned, 20, {"a": None, "c": {"x": 1e-9}})
    assert await load(Checkpoints(redis, "t"), 3) == (20, {"b": 2, "c": {"x": 1e-9}})


async def test_empty_partition_is_a_checkpoint_too(redis: Redis) -> None:
    await Checkpoints(redis, "t").write(Owned(3, 1, 10), 10, {})
    assert await load(Checkpoints(redis, "t"), 3) == (10, {})


async def test_p16_flushed_redis_under_a_live_owner_asks_for_the_whole(redis: Redis) -> None:
    mine, owned = Checkpoints(redis, "t"), Owned(3, 1, 10)
    await mine.write(owned, 10, {"a": 1, "b": 2})
    await redis.flushall()
    assert not await mine.add(owned, 20, {"a": 5})
    await mine.write(owned, 20, {"a": 5, "b": 2})
    assert await load(mine, 3) == (20, {"a": 5, "b": 2})


async def test_p16_lost_state_key_makes_the_checkpoint_incomplete(redis: Redis) -> None:
    mine = Checkpoints(redis, "t")
    await mine.write(Owned(3, 1, 10), 10, {"a": 1, "b": 2})
    (key,) = [key for key in await redis.keys() if b"state" in key]
    await redis.hdel(key, "a")
    assert await load(mine, 3) == (10, None)


async def test_p13_old_owner_is_fenced_by_a_newer_token(redis: Redis) -> None:
    old, new = Checkpoints(redis, "t"), Checkpoints(redis, "t")
    await old.write(Owned(3, 1, 10), 10, {"a": 1})
    await new.write(Owned(3, 2, 10), 10, {"a": 2})
    with pytest.raises(Fenced):
        await old.add(Owned(3, 1, 10), 20, {"a": 3})
    with pytest.raises(Fenced):
        await old.write(Owned(3, 1, 10), 20, {"a": 3})
    assert await load(new, 3) == (10, {"a": 2})
    assert len(await redis.keys()) == 2


async def test_other_databases_checkpoints_are_never_met(redis: Redis, pool: Pool) -> None:
    async with pool.acquire() as connection:
        prefix = await module.identity(connection)
    await Checkpoints(redis, "agentauri:1.1.1").write(Owned(3, 1, 10), 10, {"a": 1})
    assert await Checkpoints(redis, prefix).meta(3) is None


async def test_forgotten_checkpoint_leaves_no_key(redis: Redis) -> None:
    mine = Checkpoints(redis, "t")
    await mine.write(Owned(3, 1, 10), 10, {"a": 1})
    await mine.forget(3)
    assert await redis.keys() == []


async def test_p16_checkpoint_that_nobody_adds_to_goes_in_time(redis: Redis) -> None:
    mine, owned = Checkpoints(redis, "t"), Owned(3, 1, 10)
    await mine.write(owned, 10, {"a": 1})
    keys = await redis.keys()
    assert [await redis.ttl(key) > module.KEPT_SECONDS - 60 for key in keys] == [True, True]
    for key in keys:
        await redis.expire(key, 60)
    await mine.add(owned, 20, {"b": 2})
    assert [await redis.ttl(key) > module.KEPT_SECONDS - 60 for key in keys] == [True, True]


async def test_p16_generation_that_was_not_finished_goes_soon(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(**_: object) -> None:
        raise ConnectionError

    mine = Checkpoints(redis, "t")
    monkeypatch.setattr(mine, "_seal", crash)
    with pytest.raises(ConnectionError):
        await mine.write(Owned(3, 1, 10), 10, {"a": 1})
    (key,) = await redis.keys()
    assert 0 < await redis.ttl(key) <= module.WRITING_SECONDS


async def test_p16_generation_that_lost_keys_while_it_was_written_leaves_none(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, seal = Checkpoints(redis, "t"), redis.register_script(module.SEAL_LUA)

    async def lose(keys: list[str], args: list[str | int]) -> object:
        await redis.hdel(keys[1], "a")
        return await seal(keys=keys, args=args)

    monkeypatch.setattr(mine, "_seal", lose)
    await mine.write(Owned(3, 1, 10), 10, {"a": 1, "b": 2})
    assert await redis.keys() == []


async def test_p16_redis_that_may_evict_is_refused(redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(StartError, match="noeviction"):
            await module.check_redis(redis)
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")
