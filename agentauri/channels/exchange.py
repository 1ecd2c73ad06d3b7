"""One HTTP request and its answer over a connection of the guarded client, written and read as bytes.

The way of webhooks, of which there are thousands a second: aiohttp's session makes a dozen objects for each request,
which cost more CPU time than signing, sending and recording it. Its connector stays, so the guard, names, TLS and kept
connections are as ever, and so does its parser. Guarantees that a connection whose state is not known is closed, and
that no header can hold another one. What an answer means is its caller's business, and so is the time it may take.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

from agentauri.channels.guard import MAX_BODY_BYTES, MAX_HEADER_BYTES, GuardedClient, read_capped
from agentauri.channels.journey import Journey, begin
from agentauri.channels.request import BODILESS, Request

TARGETS_KEPT = 10_000
NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=None)
FIRST_FINAL_STATUS = 200
SWITCHING_PROTOCOLS = 101


class Answer(NamedTuple):
    """What came back; ``is_cut``: the body was longer than the cap."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """An origin as the connector wants to be asked for it, and as the Host header names it."""

    asked: aiohttp.ClientRequest
    host: str


class Exchange:
    """Sends requests through ``client``."""

    def __init__(self, client: GuardedClient) -> None:
        self._client = client
        self._targets: OrderedDict[URL, _Target] = OrderedDict()

    async def send(self, request: Request, journey: Journey) -> Answer:
        """The whole answer. Raises aiohttp.ClientError, OSError, Blocked, and ValueError for what cannot be sent."""
        target = self._target(request.url)
        head = _head(request, target.host, close=self._client.crowded)
        begin(journey)
        connection = await self._client.connector.connect(target.asked, [], NO_LIMIT)
        try:
            answer = await _exchange(connection, head, request.body, target, journey)
        except BaseException:
            if connection.transport is not None:
                connection.transport.abort()
            connection.close()
            raise
        connection.release()  # closes it where the answer was not read to its end
        return answer

    def _target(self, url: URL) -> _Target:
        origin = url.origin()
        found = self._targets.get(origin)
        if found is None:
            asked = aiohttp.ClientRequest("GET", origin, session=self._client.session)
            found = self._targets[origin] = _Target(asked, asked.headers["Host"])
            if len(self._targets) > TARGETS_KEPT:
                self._targets.popitem(last=False)
        return found


def _head(request: Request, host: str, *, close: bool) -> bytes:
    """Request line and headers. Raises ValueError when a line holds another one."""
    lines = [f"{request.method} {request.url.raw_path_qs} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body or request.method not in BODILESS:
        lines.append(f"Content-Length: {len(request.body)}")
    if close:
        lines.append("Connection: close")
    text = "\r\n".join(lines)
    if text.count("\r") >= len(lines) or text.count("\n") >= len(lines) or "\0" in text:
        raise ValueError("a header holds a line break.")
    return f"{text}\r\n\r\n".encode()


async def _exchange(connection: Connection, head: bytes, body: bytes, target: _Target, journey: Journey) -> Answer:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise aiohttp.ClientConnectionResetError("the connection was closed before it was used.")
    protocol.set_response_params(
        read_until_eof=True, auto_decompress=False, max_line_size=MAX_HEADER_BYTES, max_field_size=MAX_HEADER_BYTES
    )
    journey.sent = True
    transport.write(head + body)
    try:
        message, content = await _final_head(protocol)
    except HttpProcessingError as error:
        about = target.asked.request_info
        raise aiohttp.ClientResponseError(about, (), status=error.code, message=error.message) from error
    if content.is_eof():
        arrived = content.read_nowait(-1)
        return Answer(message.code, message.headers, arrived[:MAX_BODY_BYTES], len(arrived) > MAX_BODY_BYTES)
    arrived, is_cut = await read_capped(content)
    return Answer(message.code, message.headers, arrived, is_cut)


async def _final_head(protocol: ResponseHandler) -> tuple[aiohttp.http.RawResponseMessage, aiohttp.StreamReader]:
    """The first head that is no interim one such as 103 Early Hints."""
    while True:
        message, content = await protocol.read()
        if message.code >= FIRST_FINAL_STATUS or message.code == SWITCHING_PROTOCOLS:
            return message, content
