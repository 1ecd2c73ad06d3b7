"""The shared connection to a real Valkey: every caller gets its own answer, and none waits for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Connection, Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from agentauri.store import script_line as module
from agentauri.store.script_line import REDIS_AWAY, ScriptLine, open_line, pack

ECHO = "if ARGV[1] == 'wrong' then return redis.error_reply('ERR wrong') end return ARGV[1]"
SLOW = "local n = 0 while n < 2e6 do n = n + 1 end return ARGV[1]"


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[ScriptLine]:
    opened = open_line(redis_url, ECHO)
    yield opened
    await opened.close()


async def ask(line: ScriptLine, text: str | int, seconds: float = 5.0) -> bytes:
    return await line.run([], [text], seconds)


async def test_everybody_gets_the_answer_to_the_own_question(line: ScriptLine) -> None:
    answers = await asyncio.gather(*(ask(line, number) for number in range(1000)))
    assert answers == [str(number).encode() for number in range(1000)]


async def test_all_share_one_connection(line: ScriptLine, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        before = len(await redis.client_list())
        await asyncio.gather(*(ask(line, number) for number in range(100)))
        assert len(await redis.client_list()) == before + 1


async def test_who_leaves_takes_no_answer_of_another(line: ScriptLine) -> None:
    await ask(line, "connected")
    calls = [asyncio.create_task(ask(line, number)) for number in range(20)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[1::2] == [str(number).encode() for number in range(1, 20, 2)]


async def test_who_is_not_patient_goes_without_an_answer_and_the_next_one_gets_its_own(redis_url: str) -> None:
    line = open_line(redis_url, SLOW)
    with pytest.raises(TimeoutError):
        await ask(line, "first", 0.001)
    assert await ask(line, "second") == b"second"
    await line.close()


async def test_refusal_of_redis_fails_the_call_and_not_the_next_one(line: ScriptLine) -> None:
    with pytest.raises(REDIS_AWAY):
        await ask(line, "wrong")
    assert await ask(line, "next") == b"next"


async def test_connection_that_was_silent_for_long_is_replaced(
    line: ScriptLine, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(line, "first")
    async with Redis.from_url(redis_url) as redis:
        await redis.client_kill_filter(_type="normal", skipme=True)
    monkeypatch.setattr(module, "IDLE_SECONDS", -1.0)
    assert await ask(line, "second") == b"second"


@pytest.mark.parametrize("steps", [1, 2, 10])
async def test_close_fails_what_is_under_way(redis_url: str, steps: int) -> None:
    line = open_line(redis_url, SLOW)
    call = asyncio.create_task(ask(line, "late"))
    for _ in range(steps):
        await asyncio.sleep(0)
    await line.close()
    with pytest.raises(RedisConnectionError):
        await call


async def test_more_calls_than_may_wait_are_refused(line: ScriptLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    answers = await asyncio.gather(*(ask(line, number) for number in range(4)), return_exceptions=True)
    assert [isinstance(answer, REDIS_AWAY) for answer in answers] == [False, False, True, True]


def test_command_is_packed_as_the_library_packs_it() -> None:
    parts = ("EVALSHA", b"\x00\xff", 2, "{a}:é", "", -5)
    assert pack(*parts) == b"".join(Connection().pack_command(*parts))
