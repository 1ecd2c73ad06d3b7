"""One provider: batches, bounds, and what is no answer."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from agentauri.chain.rpc import Call, Rpc, label_of, retry_after
from agentauri.errors import RangeTooLarge, RpcError, RpcTimeout
from tests.support.fake_chain import FakeChain, FakeNode, Refuse, serving

SECRET_PATH = "v2/0123456789abcdef"


@pytest.fixture
async def node() -> AsyncIterator[FakeNode]:
    async with serving(FakeNode(FakeChain())) as (found,):
        yield found


@pytest.fixture
async def rpc(node: FakeNode) -> AsyncIterator[Rpc]:
    opened = Rpc(node.url + SECRET_PATH, answer_seconds=1.0, max_bytes=10_000)
    yield opened
    await opened.close()


def answers(body: Any, status: int = 200, **headers: str) -> Callable[[], web.Response]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda: web.Response(body=raw, status=status, headers=headers)


async def test_a_batch_is_answered_in_its_order(rpc: Rpc) -> None:
    calls = [Call("eth_blockNumber"), Call("eth_chainId"), Call("eth_getBlockByNumber", ("0x9", False))]

    assert await rpc.batch(calls) == ["0x0", hex(31337), None]


async def test_answers_in_another_order_are_put_right(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers([{"id": 1, "result": "second"}, {"id": 0, "result": "first"}])

    assert await rpc.batch([Call("a"), Call("b")]) == ["first", "second"]


async def test_the_error_of_one_call_leaves_the_others(node: FakeNode, rpc: Rpc) -> None:
    def refuse(_params: Any, _right: Any) -> Any:
        raise Refuse(-32601, "no such method")

    node.twist["eth_chainId"] = refuse
    calls = [Call("eth_blockNumber"), Call("eth_chainId")]

    number, failed = await rpc.try_batch(calls)

    assert number == "0x0"
    assert isinstance(failed, RpcError)
    with pytest.raises(RpcError, match="no such method"):
        await rpc.batch(calls)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>gateway</html>",
        b"",
        b"null",
        {"id": 99, "result": "0x0"},
        {"result": "0x0"},
        {"id": 0},
        [],
        [{"id": 0, "result": 1}, {"id": 0, "result": 1}],
        7,
    ],
    ids=repr,
)
async def test_what_is_no_answer_is_an_error_with_an_excerpt(node: FakeNode, rpc: Rpc, body: Any) -> None:
    node.raw = answers(body)

    with pytest.raises(RpcError, match=rpc.label):
        await rpc.ask("eth_blockNumber")


async def test_a_batch_that_lacks_an_answer_is_an_error(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers([{"id": 0, "result": 1}])

    with pytest.raises(RpcError, match="1 of 2 calls"):
        await rpc.batch([Call("a"), Call("b")])


async def test_one_error_for_a_whole_batch_is_that_error(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers({"id": None, "error": {"code": -32000, "message": "block range is too wide"}})

    with pytest.raises(RangeTooLarge):
        await rpc.batch([Call("eth_blockNumber"), Call("eth_getLogs", ({},))])


async def test_too_many_requests_carry_retry_after(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers({"error": {"message": "slow down"}}, 429, **{"Retry-After": "7"})

    with pytest.raises(RpcError) as caught:
        await rpc.ask("eth_blockNumber")
    assert (caught.value.code, caught.value.retry_after) == (429, 7.0)


async def test_an_error_under_another_status_is_read(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers({"id": 0, "error": {"code": -32005, "message": "query returned more than 10000 results"}}, 400)

    with pytest.raises(RangeTooLarge):
        await rpc.ask("eth_getLogs", {})


@pytest.mark.parametrize(("status", "kind"), [(504, RpcTimeout), (413, RangeTooLarge), (500, RpcError)])
async def test_refusals_without_json_go_by_their_status(
    node: FakeNode, rpc: Rpc, status: int, kind: type[RpcError]
) -> None:
    node.raw = answers(b"upstream", status)

    with pytest.raises(RpcError) as caught:
        await rpc.ask("eth_getLogs", {})
    assert type(caught.value) is kind


async def test_an_answer_beyond_the_bound_asks_for_a_smaller_range(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers(b"x" * 20_000)

    with pytest.raises(RangeTooLarge, match="10000 bytes"):
        await rpc.ask("eth_getLogs", {})


async def test_a_silent_provider_times_out(node: FakeNode) -> None:
    node.hang = True
    rpc = Rpc(node.url, answer_seconds=0.1)

    with pytest.raises(RpcTimeout, match=r"within 0\.1 s"):
        await rpc.ask("eth_blockNumber")
    await rpc.close()


async def test_a_provider_that_is_not_there_is_an_error() -> None:
    rpc = Rpc("http://127.0.0.1:1/")

    with pytest.raises(RpcError, match="cannot be reached"):
        await rpc.ask("eth_blockNumber")
    await rpc.close()


async def test_keys_of_the_address_are_in_no_error(node: FakeNode, rpc: Rpc) -> None:
    node.raw = answers(f"no such project: {SECRET_PATH}".encode())

    with pytest.raises(RpcError) as caught:
        await rpc.ask("eth_blockNumber")
    assert "0123456789abcdef" not in str(caught.value)
    assert "no such project" in str(caught.value)


def test_the_label_is_the_host_alone() -> None:
    assert label_of("https://user:secret@node.example/v3/key?apikey=1") == "node.example"
    assert label_of("http://[::1]:8545/") == "[::1]:8545"


def test_retry_after_may_be_a_date() -> None:
    date, later = "Mon, 23 Nov 2026 08:00:00 GMT", "Mon, 23 Nov 2026 08:00:30 GMT"

    assert retry_after(later, date) == 30.0
    assert retry_after("120", None) == 120.0
    assert retry_after("99999999", None) == 3600.0
    assert retry_after("soon", date) is None
    assert retry_after(None, date) is None
