"""The limiter over a real Valkey, one that is not there, and one that hangs."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from agentauri import metrics
from agentauri.accounts.limits import Policy
from agentauri.config import build
from agentauri.errors import RateLimited, Unavailable
from agentauri.serve import limiter as module
from agentauri.serve.limiter import Limiter
from agentauri.serve.problems import RATE_HEADERS
from agentauri.store.rate_limits import RateLimits

TOKEN = "monitoring-token-of-tests"
IP = "192.0.2.1"
Make = Callable[..., Limiter]
Sums = Counter[tuple[str, ...]]


@pytest.fixture
async def make(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    made: list[Limiter] = []

    def make(url: str = redis_url, **rates: Any) -> Limiter:
        settings = build({"environment": "test", "rate_limits": {"mode": "enforce", "anonymous": 3, **rates}})
        if url == redis_url:  # however busy the machine is, it is Redis that counts
            monkeypatch.setattr(module, "PATIENCE_SECONDS", 10.0)
        made.append(Limiter.of(settings, RateLimits.open(url, "agentauri:t")))
        return made[-1]

    yield make
    for limiter in made:
        await limiter.close()


@pytest.fixture
def dead_url() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
async def hanging_url() -> AsyncIterator[str]:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "headers": list(headers)}


async def knock(limiter: Limiter, **more: Any) -> dict[str, str]:
    asked = scope(*more.pop("headers", ()))
    await limiter.admit(asked, limiter.limits.anonymous(IP, **more))
    return {name.decode(): value.decode() for name, value in asked.get(RATE_HEADERS, [])}


class Counts:
    """Where a metric writes to in these tests, whether or not an earlier one ran Ray in this process."""

    def __init__(self) -> None:
        self.sums: Sums = Counter()

    def record(self, value: float, labels: dict[str, str]) -> None:
        self.sums[tuple(labels.values())] += int(value)


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Sums:
    counts = Counts()
    monkeypatch.setattr(metrics.rate_decisions, "sink", counts)
    return counts.sums


@pytest.fixture
def fallbacks(monkeypatch: pytest.MonkeyPatch) -> Sums:
    counts = Counts()
    monkeypatch.setattr(metrics.rate_fallbacks, "sink", counts)
    return counts.sums


async def test_answer_tells_the_policy_and_what_is_left(make: Make) -> None:
    now = time.time()
    told = await knock(make(anonymous=60))
    assert told["ratelimit-policy"] == '"hour";q=60;w=3600, "burst";q=20;w=60'
    left, soon = told["ratelimit"].split(", ")
    assert left.startswith('"hour";r=59;t=')
    assert soon == '"burst";r=19;t=3'
    assert (told["x-ratelimit-limit"], told["x-ratelimit-remaining"]) == ("60", "59")
    assert 0 <= int(told["x-ratelimit-reset"]) - now - int(left.rpartition("=")[2]) <= 2


async def test_request_beyond_the_limit_is_refused_with_the_time_to_wait(make: Make, decisions: Sums) -> None:
    limiter = make()
    for _ in range(3):
        await knock(limiter)
    asked = scope()
    with pytest.raises(RateLimited) as refused:
        await limiter.admit(asked, limiter.limits.anonymous(IP))
    assert 1 <= refused.value.retry_after <= 2 * 3600
    assert (b"x-ratelimit-remaining", b"0") in asked[RATE_HEADERS]
    limiter.report()
    assert decisions["anonymous", "refused"] == 1


async def test_other_address_has_a_limit_of_its_own(make: Make) -> None:
    limiter = make()
    for _ in range(3):
        await knock(limiter)
    await limiter.admit(scope(), limiter.limits.anonymous("192.0.2.2"))


async def test_replicas_count_together(make: Make) -> None:
    one, other = make(), make()
    for limiter in (one, other, one):
        await knock(limiter)
    with pytest.raises(RateLimited):
        await knock(other)


async def test_shadow_mode_counts_and_refuses_nothing(make: Make, decisions: Sums) -> None:
    limiter = make(mode="shadow")
    told = [await knock(limiter) for _ in range(5)]
    assert [one["x-ratelimit-remaining"] for one in told] == ["2", "1", "0", "0", "0"]
    limiter.report()
    assert decisions["anonymous", "shadowed"] == 2


async def test_monitoring_token_is_exempt(make: Make, redis_url: str) -> None:
    limiter = make(monitoring_token=TOKEN)
    for _ in range(5):
        assert await knock(limiter, headers=[(b"x-monitoring-token", TOKEN.encode())]) == {}
    async with Redis.from_url(redis_url) as redis:
        assert await redis.keys() == []


@pytest.mark.parametrize("sent", [b"wrong", b"", TOKEN.encode() + b"x", b"\xff"])
async def test_wrong_monitoring_token_is_limited(make: Make, sent: bytes) -> None:
    assert await knock(make(monitoring_token=TOKEN), headers=[(b"x-monitoring-token", sent)])


async def test_without_a_token_in_the_settings_an_empty_header_is_limited(make: Make) -> None:
    assert await knock(make(), headers=[(b"x-monitoring-token", b"")])


async def test_account_is_limited_from_wherever_its_logins_come(make: Make) -> None:
    limiter = make()
    for host in range(10):
        await limiter.admit(scope(), limiter.limits.guarded(Policy.LOGIN, f"192.0.2.{host}", "ada@example.com"))
    with pytest.raises(RateLimited):
        await limiter.admit(scope(), limiter.limits.guarded(Policy.LOGIN, "192.0.2.99", "ADA@example.com"))


async def test_without_redis_this_process_counts_the_same_limits(make: Make, dead_url: str, fallbacks: Sums) -> None:
    limiter = make(dead_url)
    assert [(await knock(limiter))["x-ratelimit-remaining"] for _ in range(3)] == ["2", "1", "0"]
    with pytest.raises(RateLimited):
        await knock(limiter)
    limiter.report()
    assert fallbacks["anonymous",] == 4


async def test_without_redis_guarded_routes_are_closed(make: Make, dead_url: str) -> None:
    limiter = make(dead_url)
    with pytest.raises(Unavailable):
        await limiter.admit(scope(), limiter.limits.guarded(Policy.LOGIN, IP, "ada"))


async def test_without_redis_shadow_mode_lets_logins_through(make: Make, dead_url: str) -> None:
    limiter = make(dead_url, mode="shadow")
    await limiter.admit(scope(), limiter.limits.guarded(Policy.LOGIN, IP, "ada"))


async def test_hanging_redis_holds_requests_up_for_a_moment_only(make: Make, hanging_url: str) -> None:
    limiter = make(hanging_url, anonymous=1000)
    async with asyncio.timeout(10 * module.PATIENCE_SECONDS):
        await asyncio.gather(*(knock(limiter) for _ in range(50)))


async def test_redis_that_hung_is_not_asked_for_a_while(
    make: Make, hanging_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 60.0)
    limiter = make(hanging_url, anonymous=1000)
    await knock(limiter)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 60.0)
    async with asyncio.timeout(10.0):
        await knock(limiter)


async def test_hanging_redis_closes_guarded_routes_in_bounded_time(make: Make, hanging_url: str) -> None:
    limiter = make(hanging_url)
    async with asyncio.timeout(10 * module.GUARDED_PATIENCE_SECONDS):
        with pytest.raises(Unavailable):
            await limiter.admit(scope(), limiter.limits.guarded(Policy.LOGIN, IP, "ada"))


async def test_redis_that_is_back_counts_again(make: Make, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)
    limiter = make(anonymous=60)
    await knock(limiter)
    async with Redis.from_url(redis_url) as redis:
        await redis.client_kill_filter(_type="normal", skipme=True)
        await knock(limiter)  # may meet the dead connection: counted here
        assert (await knock(limiter))["x-ratelimit-remaining"] in {"57", "58"}
        assert len(await redis.keys()) == 1


async def test_redis_that_lost_the_script_gets_it_again(
    make: Make, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.0)
    limiter = make(anonymous=60)
    await knock(limiter)
    async with Redis.from_url(redis_url) as redis:
        await redis.script_flush()
    await knock(limiter)
    assert (await knock(limiter))["x-ratelimit-remaining"] == "58"


def test_metrics_have_no_labels_that_name_a_subject() -> None:
    assert metrics.rate_decisions.labels == ("policy", "outcome")
    assert metrics.rate_fallbacks.labels == ("policy",)
