"""Requests as bytes over the guard's connections, against receivers that answer in every form of HTTP/1."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from agentauri.channels.addresses import policy_of
from agentauri.channels.exchange import Exchange
from agentauri.channels.guard import GuardedClient
from agentauri.channels.journey import Journey
from agentauri.channels.request import Request
from tests.support.misbehaving import Misbehaving, misbehaving


@pytest.fixture
async def bad() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as receiver:
        yield receiver


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    client = GuardedClient(policy_of(["127.0.0.0/8"]))
    yield Exchange(client)
    await client.close()


def request(url: str, method: str = "POST", body: bytes = b"{}", **headers: str) -> Request:
    return Request(method, URL(url, encoded=True), headers, body)


@pytest.mark.parametrize(("path", "status", "body"), [("/early", 200, b"ok"), ("/204", 204, b""), ("/ok", 200, b"ok")])
async def test_answer_that_ends_keeps_its_connection(
    exchange: Exchange, bad: Misbehaving, path: str, status: int, body: bytes
) -> None:
    for _ in range(3):
        found = await exchange.send(request(bad.url(path)), Journey())
        assert (found.status, found.body, found.is_cut) == (status, body, False)
    assert bad.connections == 1


async def test_answer_without_a_length_is_read_to_the_end_of_its_connection(
    exchange: Exchange, bad: Misbehaving
) -> None:
    assert (await exchange.send(request(bad.url("/old")), Journey())).body == b"until the end"
    assert (await exchange.send(request(bad.url("/ok")), Journey())).status == 200
    assert bad.connections == 2


async def test_journey_tells_a_kept_connection_from_a_new_one(exchange: Exchange, bad: Misbehaving) -> None:
    first, second = Journey(), Journey()
    await exchange.send(request(bad.url("/ok")), first)
    await exchange.send(request(bad.url("/ok")), second)
    assert (first.sent, first.reused) == (True, False)
    assert (second.sent, second.reused) == (True, True)


@pytest.mark.parametrize("value", ["a\r\nX-More: b", "a\nb", "a\rb", "a\0b"])
async def test_header_with_a_line_break_is_not_sent(exchange: Exchange, bad: Misbehaving, value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        await exchange.send(request(bad.url("/ok"), Name=value), Journey())
    assert bad.connections == 0


async def test_request_says_how_long_its_body_is_unless_it_is_a_get_without_one(
    exchange: Exchange, bad: Misbehaving
) -> None:
    await exchange.send(request(bad.url("/ok?a=%20b"), "GET", b""), Journey())
    await exchange.send(request(bad.url("/ok"), "DELETE", b""), Journey())
    await exchange.send(request(bad.url("/ok"), "PUT", "ü".encode()), Journey())
    heads = [one.partition(b"\r\n\r\n")[0] for one in bad.requests]
    assert heads[0] == f"GET /ok?a=%20b HTTP/1.1\r\nHost: 127.0.0.1:{bad.port}".encode()
    assert heads[1].endswith(b"\r\nContent-Length: 0")
    assert heads[2].endswith(b"\r\nContent-Length: 2")
    assert bad.requests[2].endswith("ü".encode())


async def test_connection_of_an_exchange_that_is_given_up_is_closed(exchange: Exchange, bad: Misbehaving) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await exchange.send(request(bad.url("/hang")), Journey())
    async with asyncio.timeout(5):
        await bad.idle.wait()
