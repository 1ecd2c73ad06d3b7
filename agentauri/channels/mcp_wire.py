"""What the MCP client's HTTP goes over: the guarded aiohttp session, in the form of an httpx2 transport.

One wire is one attempt's. Everything that the SDK sends goes through the outbound guard, follows no redirect, and is
read up to 1 MiB an answer; what happened on the wire is kept for whoever judges the attempt, because the SDK tells of
HTTP in words of JSON-RPC alone. Time is bounded by the caller.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import httpx2
import orjson
from yarl import URL

from agentauri.channels.guard import MAX_BODY_BYTES, GuardedClient
from agentauri.channels.progress import Progress
from agentauri.channels.retry import parse_retry_after
from agentauri.errors import Blocked

EXCERPT_BYTES = 8192
END_SECONDS = 2.0
"""For giving a session back; the call itself is through by then."""
ENDING = frozenset({401, 403, 408, 410, 425, 429})
"""Statuses after which the SDK is not let go on to guess at another protocol version."""
HOP_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"})
COMPRESSED = "The server sent its answer compressed, which nobody asked for."
TOO_LARGE = f"The server's answer was longer than {MAX_BODY_BYTES} bytes."


class Refused(Exception):
    """The server's answer ends the attempt, whatever else it says; ``Wire.status`` has its status."""


class Unreadable(ValueError):
    """The server's answer is larger than is read, or in a form that was not asked for."""


class Wire(httpx2.AsyncBaseTransport):
    """See the module. ``error`` is what went wrong on the wire, ``status`` the last answer's."""

    def __init__(self, client: GuardedClient) -> None:
        self._client = client
        self.error: Exception | None = None
        self.status: int | None = None
        self.retry_after: float | None = None
        self.beginning = bytearray()
        self.call_sent = False
        """Whether the tool's call had gone out whole or in part."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request of the SDK."""
        if request.method == "GET" and "last-event-id" not in request.headers:
            return httpx2.Response(405, request=request)  # no stream beside the call is wanted
        body = await request.aread()
        if request.method != "DELETE":
            self._begin()
        try:
            if request.method == "DELETE":
                async with asyncio.timeout(END_SECONDS):
                    return await self._answer(request, await self._ask(request, body))
            return await self._answer(request, await self._ask(request, body))
        except (aiohttp.ClientError, OSError, Blocked, ValueError, Refused) as error:
            if request.method != "DELETE":
                self.error = self.error or error
            raise

    async def _ask(self, request: httpx2.Request, body: bytes) -> aiohttp.ClientResponse:
        progress = Progress()
        try:
            return await self._send(request, body, progress)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not progress.reused:
                raise
            # The server had closed the kept connection: that says nothing about it, so a new one is tried.
            return await self._send(request, body, Progress())
        finally:
            self.call_sent = self.call_sent or (progress.sent and _is_call(body))

    async def _send(self, request: httpx2.Request, body: bytes, progress: Progress) -> aiohttp.ClientResponse:
        headers = [(name, value) for name, value in request.headers.multi_items() if name.lower() not in HOP_HEADERS]
        headers.append(("Accept-Encoding", "identity"))
        if self._client.crowded:
            headers.append(("Connection", "close"))
        return await self._client.session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
            trace_request_ctx=progress,
        )

    async def _answer(self, request: httpx2.Request, response: aiohttp.ClientResponse) -> httpx2.Response:
        if request.method != "DELETE":
            self._note(response)
        if 300 <= response.status <= 399 or response.status in ENDING:
            async for part in response.content.iter_any():
                self._keep(part)
                if len(self.beginning) >= EXCERPT_BYTES:
                    break
            response.close()
            raise Refused(f"The server answered {response.status}.")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            response.close()
            raise Unreadable(COMPRESSED)
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in HOP_HEADERS]
        return httpx2.Response(response.status, headers=headers, stream=_Body(self, response), request=request)

    def _begin(self) -> None:
        """What an earlier request came to says nothing of the next."""
        self.status = self.retry_after = None
        self.beginning.clear()

    def _note(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        now = datetime.fromtimestamp(time.time(), UTC)
        self.retry_after = parse_retry_after(response.headers.get("Retry-After"), now)

    def _keep(self, part: bytes) -> None:
        self.beginning += part[: max(0, EXCERPT_BYTES - len(self.beginning))]

    async def read(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The body, piece by piece, up to the cap."""
        size = 0
        try:
            async for part in response.content.iter_any():
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise Unreadable(TOO_LARGE)
                self._keep(part)
                yield part
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.error = self.error or error
            raise


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, on its way to the SDK."""

    def __init__(self, wire: Wire, response: aiohttp.ClientResponse) -> None:
        self._wire = wire
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._wire.read(self._response):
            yield part

    async def aclose(self) -> None:
        """A connection whose answer was read whole is kept; any other is closed."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _is_call(body: bytes) -> bool:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(message, dict) and message.get("method") == "tools/call"
