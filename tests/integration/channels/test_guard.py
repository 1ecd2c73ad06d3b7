"""The guard around real sockets: all addresses of a name, the one that is dialled, literals, old spellings."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from agentauri.channels.addresses import Policy, policy_of
from agentauri.channels.guard import AddressInfo, GuardedClient
from agentauri.errors import Blocked
from tests.support.misbehaving import Misbehaving, misbehaving

LOOPBACK = policy_of(["127.0.0.0/8"])


@pytest.fixture
async def bad() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as receiver:
        yield receiver


class Names:
    """A name service that answers what a test says, and counts."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[AddressInfo]:
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


async def status_of(policy: Policy, url: str, **options: Any) -> int:
    client = GuardedClient(policy, **options)
    try:
        async with client.session.get(URL(url, encoded=True), allow_redirects=False) as response:
            return response.status
    finally:
        await client.close()


async def test_name_is_resolved_once_and_kept_for_the_request(bad: Misbehaving) -> None:
    names = Names("127.0.0.1")
    assert await status_of(LOOPBACK, bad.url("/ok", "hook.example"), lookup=names) == 200
    assert names.asked == 1
    assert b"Host: hook.example" in bad.requests[0]


@pytest.mark.parametrize("addresses", [("10.0.0.1",), ("127.0.0.1", "10.0.0.1"), ("10.0.0.1", "127.0.0.1")])
async def test_name_with_any_refused_address_is_blocked(bad: Misbehaving, addresses: tuple[str, ...]) -> None:
    with pytest.raises(Blocked):
        await status_of(LOOPBACK, bad.url("/ok", "hook.example"), lookup=Names(*addresses))
    assert bad.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_literal_is_blocked_where_its_socket_is_made(bad: Misbehaving, host: str) -> None:
    with pytest.raises(Blocked):
        await status_of(Policy(), bad.url("/ok", host))
    assert bad.connections == 0


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
async def test_old_spelling_of_loopback_reaches_nothing(bad: Misbehaving, host: str) -> None:
    with pytest.raises((Blocked, ValueError, OSError)):
        await status_of(Policy(), bad.url("/ok", host))
    assert bad.connections == 0


async def test_port_below_1024_is_blocked() -> None:
    with pytest.raises(Blocked, match="port 22"):
        await status_of(LOOPBACK, "http://127.0.0.1:22/")


async def test_redirect_and_cookies_are_left_alone(bad: Misbehaving) -> None:
    assert await status_of(LOOPBACK, bad.url("/302")) == 302
    assert bad.seen == {"/302": 1}
