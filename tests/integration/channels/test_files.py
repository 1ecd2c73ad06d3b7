"""Files that events name, from servers and gateways that give them, refuse them, or give something else."""

import base64
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from eth_hash.auto import keccak

from agentauri.channels.addresses import Policy, policy_of
from agentauri.channels.event_files import verified_content
from agentauri.channels.files import Files
from agentauri.channels.guard import GuardedClient
from agentauri.errors import Blocked, Unobtainable
from tests.support.ipfs import DAG_PB, Gateway, cid_text, gateway, node
from tests.support.misbehaving import Misbehaving, misbehaving

LOOPBACK = policy_of(["127.0.0.0/8"])
ZERO = "0x" + "00" * 32
HELLO = b'{"hello": "w\xc3\xb6rld"}'


@asynccontextmanager
async def files(*gateways: str, policy: Policy = LOOPBACK) -> AsyncIterator[Files]:
    client = GuardedClient(policy)
    try:
        yield Files(client, gateways)
    finally:
        await client.close()


@pytest.fixture
async def ipfs() -> AsyncIterator[Gateway]:
    async with gateway() as found:
        yield found


@pytest.fixture
async def web() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as found:
        yield found


async def fetch(uri: str, gateways: Sequence[str] = (), policy: Policy = LOOPBACK) -> bytes:
    async with files(*gateways, policy=policy) as found:
        return (await found.fetch(uri)).content


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        ("data:,a%20b", b"a b"), ("data:application/json,{%22a%22:1}", b'{"a":1}'), ("data:,", b""),
        ('data:application/json;utf8,{"a": "ü"}', '{"a": "ü"}'.encode()),
        (f"data:application/json;base64,{base64.b64encode(HELLO).decode()}", HELLO),
        (f"data:;base64,{base64.urlsafe_b64encode(HELLO).decode().rstrip('=')}", HELLO),
    ],
)  # fmt: skip
async def test_data_uri_holds_its_content(uri: str, content: bytes) -> None:
    assert await fetch(uri) == content


@pytest.mark.parametrize(
    "uri", ["data:", "data:;base64,????", "ftp://x/", "javascript:1", "x", "", "https://[::1", "ipfs://"]
)
async def test_uri_of_nothing_that_can_be_had_is_final(uri: str) -> None:
    with pytest.raises(Unobtainable) as refused:
        await fetch(uri, ["http://127.0.0.1:9"])
    assert refused.value.is_final


@pytest.mark.parametrize(
    ("path", "is_final", "status"),
    [("/302", True, 302), ("/410", True, 410), ("/429", False, 429), ("/500", False, 500), ("/flood", True, 200)],
)
async def test_server_that_gives_no_file(web: Misbehaving, path: str, is_final: bool, status: int) -> None:
    with pytest.raises(Unobtainable) as refused:
        await fetch(web.url(path))
    assert (refused.value.is_final, refused.value.status) == (is_final, status)


async def test_private_address_is_refused_without_an_exception(web: Misbehaving, ipfs: Gateway) -> None:
    for uri in (web.url("/ok"), f"ipfs://{ipfs.add(HELLO)}"):
        with pytest.raises(Blocked):
            await fetch(uri, [ipfs.url], Policy())
    assert (web.connections, ipfs.seen.total()) == (0, 0)


@pytest.mark.parametrize("size", [0, 10, 256 * 1024, 700_000, 2**20])
@pytest.mark.parametrize("knows_raw", [True, False])
async def test_ipfs_file_is_checked_whatever_the_gateway_knows(ipfs: Gateway, size: int, knows_raw: bool) -> None:
    ipfs.knows_raw = knows_raw
    content = os.urandom(size)
    assert await fetch(f"ipfs://{ipfs.add(content)}", [ipfs.url]) == content


async def test_file_in_an_ipfs_directory_is_found_by_its_path(ipfs: Gateway) -> None:
    leaf = ipfs.put(HELLO, 0x55)
    inner = ipfs.put(node(1, links=[("a ü.json", leaf, 1)]), DAG_PB)
    root = cid_text(ipfs.put(node(1, links=[("x", leaf, 1), ("sub", inner, 1)]), DAG_PB))
    assert await fetch(f"ipfs://{root}/sub/a%20%C3%BC.json", [ipfs.url]) == HELLO
    with pytest.raises(Unobtainable, match="has no nothing"):
        await fetch(f"ipfs://{root}/nothing", [ipfs.url])


async def test_content_that_is_not_what_the_identifier_names_is_final(ipfs: Gateway) -> None:
    cid = ipfs.add(HELLO)
    ipfs.blocks[cid] = ipfs.files[cid] = b"something else"
    with pytest.raises(Unobtainable, match=f"is not {cid}") as refused:
        await fetch(f"ipfs://{cid}", [ipfs.url])
    assert refused.value.is_final


async def test_inner_block_that_is_forged_is_noticed(ipfs: Gateway) -> None:
    cid = ipfs.add(os.urandom(600_000))
    leaf = next(one for one in ipfs.blocks if one != cid)
    ipfs.blocks[leaf] = b"forged"
    with pytest.raises(Unobtainable, match="is not"):
        await fetch(f"ipfs://{cid}", [ipfs.url])


async def test_next_gateway_is_asked_when_one_fails_or_lies(ipfs: Gateway) -> None:
    cid = ipfs.add(HELLO)
    async with gateway() as other, gateway() as third:
        other.blocks[cid] = other.files[cid] = b"a lie"
        third.status = 500
        assert await fetch(f"ipfs://ipfs/{cid}", [other.url, third.url, ipfs.url]) == HELLO


@pytest.mark.parametrize("status", [200, 404, 429, 500, 302])
async def test_content_that_no_gateway_has_may_come_later(ipfs: Gateway, status: int) -> None:
    ipfs.status = status
    cid = ipfs.add(HELLO)
    ipfs.blocks.clear()
    with pytest.raises(Unobtainable) as refused:
        await fetch(f"ipfs://{cid}", [ipfs.url])
    assert not refused.value.is_final


async def test_ipfs_content_beyond_a_mebibyte_is_refused(ipfs: Gateway) -> None:
    with pytest.raises(Unobtainable, match="larger than"):
        await fetch(f"ipfs://{ipfs.add(os.urandom(2**20 + 1))}", [ipfs.url])


# -- the check against the event ---------------------------------------------------------------------------------------


async def content(data: dict[str, Any], ipfs: Gateway | None = None, *, is_strict: bool = True) -> str | None:
    async with files(*([ipfs.url] if ipfs else [])) as found:
        return await verified_content(found, {"data": data}, is_strict=is_strict)


@pytest.mark.parametrize("kind", ["feedback", "response", "request"])
async def test_file_of_each_kind_of_event_is_checked(ipfs: Gateway, kind: str) -> None:
    data = {f"{kind}_uri": f"ipfs://{ipfs.add(HELLO)}", f"{kind}_hash": "0x" + keccak(HELLO).hex().upper()}
    assert await content(data, ipfs) == HELLO.decode()


async def test_hash_that_differs_is_final_and_says_so() -> None:
    data = {"feedback_uri": "data:,x", "feedback_hash": "0x" + "ab" * 32}
    with pytest.raises(Unobtainable, match="keccak-256") as refused:
        await content(data)
    assert refused.value.is_final
    assert await content(data, is_strict=False) is None


async def test_nothing_is_fetched_that_nothing_vouches_for(web: Misbehaving) -> None:
    assert await content({"feedback_uri": web.url("/ok"), "feedback_hash": ZERO}) is None
    assert await content({"feedback_uri": web.url("/ok")}) is None
    assert await content({"feedback_uri": "", "feedback_hash": ZERO}) is None
    assert await content({}) is None
    assert web.connections == 0


async def test_https_file_is_given_when_its_hash_is_right(web: Misbehaving) -> None:
    data = {"feedback_uri": web.url("/ok"), "feedback_hash": "0x" + keccak(b"ok").hex()}
    assert await content(data) == "ok"


async def test_uri_that_holds_or_names_its_content_needs_no_hash(ipfs: Gateway) -> None:
    assert await content({"feedback_uri": "data:,x", "feedback_hash": ZERO}) == "x"
    assert await content({"response_uri": f"ipfs://{ipfs.add(HELLO)}", "response_hash": ZERO}, ipfs) == HELLO.decode()


async def test_content_that_is_no_text_is_given_whole() -> None:
    uri = f"data:;base64,{base64.b64encode(bytes(range(256))).decode()}"
    given = await content({"feedback_uri": uri})
    assert given is not None
    assert base64.b64decode(given.partition(",")[2]) == bytes(range(256))
