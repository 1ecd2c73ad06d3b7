"""Requests as no client of good will sends them, over a socket: an answer by the rules, and a server that lives on."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from agentauri.serve.app import create_app
from agentauri.serve.frame import MAX_BODY_BYTES
from tests.integration.serve.conftest import CHEAP, settings_for
from tests.support.live import serving

SECONDS = 10.0
LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
LIVE = b"GET /api/v1/health/live HTTP/1.1\r\nHost: test\r\n"
TRIGGERS = b"GET /api/v1/triggers HTTP/1.1\r\nHost: test\r\n"
EVIL = [
    b"\xff\xfe",
    b"\xc3\x28",
    "ü\u2028".encode(),
    b"%0d%0aX-Evil: 1",
    b"a\tb",
    b"\x7f",
    b"x" * 30_000,
    b"'\"\\;--",
    b"{}",
]
HEADERS = [
    b"X-Request-ID", b"X-Organization-ID", b"Authorization", b"X-API-Key", b"Cookie", b"Idempotency-Key",
    b"Last-Event-ID", b"Origin", b"X-CSRF-Token", b"X-Forwarded-For", b"Content-Type", b"Accept", b"User-Agent",
]  # fmt: skip


@pytest.fixture
async def address(database: str, redis_url: str) -> AsyncIterator[tuple[str, int]]:
    """Of the application behind a server."""
    with serving(create_app(settings_for(database, redis_url), cost=CHEAP)) as base:
        parts = urlsplit(base)
        yield str(parts.hostname), int(parts.port or 0)


async def send(address: tuple[str, int], raw: bytes, *, ends: bool = False) -> tuple[int, bytes]:
    """The status of the answer to ``raw`` and all that came; 0: the server said nothing and closed.

    ``ends``: nothing more comes after it, whatever it announced.
    """
    reader, writer = await asyncio.open_connection(*address)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(raw)
            await writer.drain()
            if ends:
                writer.write_eof()
            answer = await reader.read()
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
    return (int(answer.split(b" ", 2)[1]) if answer else 0), answer


async def test_whatever_stands_in_a_header_breaks_nothing(address: tuple[str, int]) -> None:
    for name in HEADERS:
        for value in EVIL:
            for head in (TRIGGERS, LIVE, LOGIN):
                status, answer = await send(address, head + name + b": " + value + b"\r\nConnection: close\r\n\r\n")
                assert 200 <= status < 500, (name, value, answer[:300])
                assert b"\nX-Evil" not in answer
    assert (await send(address, LIVE + b"Connection: close\r\n\r\n"))[0] == 200


async def test_a_request_id_that_could_break_a_header_or_a_log_is_not_echoed(address: tuple[str, int]) -> None:
    for value in (b"a\rX-Evil: 1", b"a\nX-Evil: 1", b"a\x00b", b"a\x1bb", b"a b", b"\xff"):
        status, answer = await send(address, LIVE + b"X-Request-ID: " + value + b"\r\nConnection: close\r\n\r\n")
        assert status in (200, 400)
        assert value not in answer
        assert b"x-request-id: a\r\n" not in answer.lower()


async def test_whatever_stands_in_a_query_breaks_nothing(address: tuple[str, int]) -> None:
    queries = [
        b"search=%ff%fe", b"search=%", b"search=%zz", b"&&&=&=", b"limit=1&limit=2", b"search[]=1",
        b"limit=" + b"9" * 4000,
        b"&".join(b"p%d=%d" % (number, number) for number in range(200)), b"search=" + b"x" * 20_000, b"search=\xff",
    ]  # fmt: skip
    for query in queries:
        for path in (b"/api/v1/triggers", b"/api/v1/health/live", b"/api/v1/auth/google"):
            status, answer = await send(
                address, b"GET %s?%s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n" % (path, query)
            )
            assert 200 <= status < 500, (query[:80], answer[:300])


async def test_a_url_of_any_length_is_answered_or_cut_off(address: tuple[str, int]) -> None:
    for length in (8_000, 100_000, 1_000_000):
        status, answer = await send(
            address, b"GET /api/v1/%s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n" % (b"x" * length)
        )
        assert status == 0 or 400 <= status < 500, answer[:300]
    assert (await send(address, LIVE + b"Connection: close\r\n\r\n"))[0] == 200


async def test_a_body_in_chunks_beyond_the_limit_is_cut_off(address: tuple[str, int]) -> None:
    chunk = b"%x\r\n%s\r\n" % (2**16, b" " * 2**16)
    body = chunk * (MAX_BODY_BYTES // 2**16 + 2) + b"0\r\n\r\n"
    status, answer = await send(address, LOGIN + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)
    assert (status, b"payload_too_large" in answer) in ((413, True), (0, False))


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 100\r\n\r\n{}",  # more than comes
        b"Content-Length: 1\r\n\r\n{}",  # less than comes: the rest is no request
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 2x\r\n\r\n{}",
        b"Content-Length: 99999999999999999999999999\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\n{}",
    ],
)
async def test_a_lie_about_the_length_is_no_request(address: tuple[str, int], head: bytes) -> None:
    status, answer = await send(address, LOGIN + head, ends=True)
    assert status == 0 or 400 <= status < 500, answer
    assert answer.count(b"HTTP/1.1 2") == 0
    assert (await send(address, LIVE + b"Connection: close\r\n\r\n"))[0] == 200


async def test_two_requests_in_one_body_are_not_two(address: tuple[str, int]) -> None:
    """What stands behind a body's declared end is a request of its own, and never part of the first one's answer."""
    hidden = LIVE + b"X-Request-ID: hidden\r\nConnection: close\r\n\r\n"
    both = LOGIN + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % len(hidden) + hidden
    _, answer = await send(address, both, ends=True)
    assert b"hidden" not in answer
