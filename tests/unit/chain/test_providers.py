"""Several providers: which one is used, and when not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from agentauri.chain import providers as providers_module
from agentauri.chain.providers import Provider, Providers
from agentauri.chain.registries import WatchedChain, watch
from agentauri.chain.rpc import Call
from agentauri.errors import RangeNotWhole, RpcError, RpcUnavailable
from tests.support.fake_chain import IDENTITY, FakeChain, FakeNode, serving
from tests.support.waiting import eventually


def watched(*nodes: FakeNode) -> WatchedChain:
    return watch(id=31337, name="fake", rpc_urls=[node.url for node in nodes], identity=IDENTITY)


@asynccontextmanager
async def of(*nodes: FakeNode) -> AsyncIterator[Providers]:
    async with serving(*nodes):
        providers = Providers(watched(*nodes))
        yield providers
        await providers.close()


async def head(provider: Provider) -> tuple[str, int]:
    return provider.label, (await provider.newest()).number


def label(node: FakeNode) -> str:
    return node.url.removeprefix("http://").rstrip("/")


def two(**second: Any) -> tuple[FakeNode, FakeNode]:
    chain = FakeChain()
    chain.mine(*[0] * 20)
    return FakeNode(chain), FakeNode(chain, **second)


def failing() -> Callable[[], web.Response]:
    return lambda: web.Response(status=500, text="broken")


async def test_the_first_provider_is_used_while_it_is_well() -> None:
    first, second = two()
    async with of(first, second) as providers:
        assert {await providers.use(head) for _ in range(3)} == {(label(first), 20)}


async def test_another_provider_takes_over_from_one_that_fails() -> None:
    first, second = two()
    async with of(first, second) as providers:
        await providers.use(head)
        first.raw = failing()

        assert await providers.use(head) == (label(second), 20)
        assert providers.current == label(second)


async def test_a_provider_of_another_chain_is_not_used() -> None:
    first, second = two()
    first.chain_id = 1
    async with of(first, second) as providers:
        assert await providers.use(head) == (label(second), 20)
        assert providers.all[0].trouble == f"{label(first)} serves chain 1, not 31337"
        assert "eth_getBlockByNumber" not in first.asked


async def test_a_provider_whose_head_lags_is_not_used() -> None:
    first, second = two()
    first.late = providers_module.LAG_BLOCKS + 1
    async with of(first, second) as providers:
        assert await providers.use(head) == (label(second), 20)


async def test_a_provider_a_block_behind_is_used() -> None:
    first, second = two()
    first.late = 1
    async with of(first, second) as providers:
        assert await providers.use(head) == (label(first), 19)


async def test_a_late_provider_is_used_again_when_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers_module, "ROUND_SECONDS", 0.0)
    first, second = two()
    first.late = 10
    async with of(first, second) as providers:
        await providers.use(head)
        first.late, second.raw = 0, failing()

        assert await providers.use(head) == (label(first), 20)


async def test_a_late_provider_is_better_than_none() -> None:
    first, second = two()
    first.late = 10
    async with of(first, second) as providers:
        await providers.use(head)
        second.raw = failing()

        assert await eventually(lambda: attempt(providers)) == (label(first), 10)


async def attempt(providers: Providers) -> tuple[str, int] | None:
    try:
        return await providers.use(head)
    except RpcUnavailable:
        return None


async def test_without_a_usable_provider_every_reason_is_named() -> None:
    first, second = two()
    first.raw, second.chain_id = failing(), 5
    async with of(first, second) as providers:
        with pytest.raises(RpcUnavailable, match=r"HTTP 500: broken.*serves chain 5"):
            await providers.use(head)
        assert providers.rest_seconds() > 0


async def test_a_provider_that_recovers_is_asked_again() -> None:
    (only,) = nodes = (FakeNode(FakeChain()),)
    only.raw = failing()
    async with of(*nodes) as providers:
        assert await attempt(providers) is None
        only.raw = None

        assert await eventually(lambda: attempt(providers)) == (label(only), 0)


async def test_rests_grow_while_answers_and_failures_alternate() -> None:
    async with of(FakeNode(FakeChain())) as providers:
        (only,) = providers.all
        rests = []
        for _ in range(4):
            only.failed(RpcError("no logs today"))
            rests.append(providers.rest_seconds())
            only.succeeded()

    assert rests == sorted(rests)
    assert rests[-1] > 4 * rests[0]


async def test_retry_after_is_waited_for() -> None:
    node = FakeNode(FakeChain(), raw=lambda: web.Response(status=429, headers={"Retry-After": "90"}))
    async with of(node) as providers:
        assert await attempt(providers) is None
        assert 80 < providers.rest_seconds() <= 90


async def test_a_job_that_finds_an_answer_not_whole_goes_to_another_provider() -> None:
    first, second = two()

    async def choosy(provider: Provider) -> str:
        if provider.label == label(first):
            raise RangeNotWhole("block 3 was left out")
        return provider.label

    async with of(first, second) as providers:
        assert await providers.use(choosy) == label(second)
        assert providers.all[0].trouble == "block 3 was left out"


async def test_long_lists_of_calls_are_sent_in_several_requests() -> None:
    node = FakeNode(FakeChain())
    calls = [Call("eth_blockNumber")] * (providers_module.MAX_BATCH + 1)
    async with of(node) as providers:
        assert await providers.all[0].batch(calls) == ["0x0"] * len(calls)


@pytest.mark.parametrize("whole", [True, False], ids=["one-error", "an-error-each"])
async def test_a_provider_that_wants_smaller_batches_gets_them(whole: bool) -> None:
    node = FakeNode(FakeChain(), most_calls=3, refuses_whole=whole)
    async with of(node) as providers:
        assert await providers.all[0].batch([Call("eth_blockNumber")] * 10) == ["0x0"] * 10
        requests = len(node.asked)
        assert await providers.all[0].batch([Call("eth_blockNumber")] * 3) == ["0x0"] * 3
        assert len(node.asked) == requests + 3


async def test_two_providers_of_one_host_have_two_names() -> None:
    chain = watch(id=1, name="ethereum", rpc_urls=["https://one/a", "https://one/b", "https://two"])
    providers = Providers(chain)

    assert [one.label for one in providers.all] == ["one#1", "one#2", "two"]
    await providers.close()


async def test_nonsense_for_a_head_is_an_error() -> None:
    node = FakeNode(FakeChain(), twist={"eth_getBlockByNumber": lambda _params, _right: {"number": "many"}})
    async with of(node) as providers:
        with pytest.raises(RpcError, match="nonsense"):
            await providers.all[0].newest()
