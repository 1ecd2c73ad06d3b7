"""Server-sent events: what every stream of this API keeps to, whatever it tells.

Guarantees that a stream ends within about a second of its caller's revocation, ends with the replica, and leaves
nothing behind when the client goes; that there are only so many, of which one organization holds a part; and that a
client which reads slowly holds one page and no more: the next is read when this one was taken. One that takes nothing
for SEND_SECONDS is let go. A client comes back with the last id that it saw, and misses nothing.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any
from uuid import UUID

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from agentauri import logs
from agentauri.accounts.roles import Principal
from agentauri.actors.tasks import cancel, spawn
from agentauri.errors import RateLimited, RequestError, Unavailable
from agentauri.serve.answers import encode
from agentauri.serve.doorbell import Doorbell
from agentauri.serve.problems import AWAY_DETAIL
from agentauri.store.database import AWAY

log = logs.get("streams")

MAX_STREAMS = 100
MAX_OF_ORGANIZATION = 10
"""Both of one replica. Serve takes 256 requests at once; the rest is for those that end."""
READERS = 2
"""Streams that read at once: the pool's other connections are for everything else."""
PACE_SECONDS = 0.05
LOOK_SECONDS = 1.0
PAGE = 100
CHECK_SECONDS = 0.5
BEAT_SECONDS = 15.0
SEND_SECONDS = 30.0
FAREWELL_SECONDS = 1.0
RETRY_MS = 2_000
BUSY_SECONDS = 30
FULL = "this server has as many streams open as it can hold; try again in a moment."
TOO_MANY = f"the organization has {MAX_OF_ORGANIZATION} streams open here; close one first."
STOPPING = "the server is stopping; connect again with Last-Event-ID."
BROKEN = "the stream failed through no fault of yours; connect again with Last-Event-ID."

MESSAGE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For `Last-Event-ID`."},
        "event": {"type": "string", "description": "What kind of message it is."},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}

Chunks = AsyncGenerator[bytes, None]
Check = Callable[[], Awaitable[Principal]]


def message(event: str, id: object, data: object) -> bytes:
    """One event of a stream."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(id).encode(), event.encode(), encode(data))


def place(id: object) -> bytes:
    """A sign of life that moves the client's place: what lies before ``id`` need not be told again."""
    return b": beat\nid: %s\n\n" % str(id).encode()


def stream_answer(event: str, id: object, example: object) -> dict[int | str, dict[str, Any]]:
    """For a route's ``responses``: what each message of a stream looks like."""
    shown = {"id": str(id), "event": event, "data": encode(example).decode()}
    content = {EventStream.media_type: {"schema": MESSAGE, "example": shown}}
    return {200: {"description": "Messages, each with these fields.", "content": content}}


class Beat:
    """Says when a stream that told nothing should show that it lives."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def told(self) -> None:
        """Something was told just now."""
        self._told_at = time.monotonic()

    def is_due(self) -> bool:
        """Whether nothing was told for long."""
        return time.monotonic() - self._told_at >= BEAT_SECONDS


class Streams:
    """The streams of one replica."""

    def __init__(self, url: str) -> None:
        self.doorbell = Doorbell(url)
        self.reading = asyncio.Semaphore(READERS)
        self.stopping = asyncio.Event()
        self._open: Counter[UUID] = Counter()
        self._closed = asyncio.Event()

    @contextmanager
    def slot(self, organization_id: UUID) -> Iterator[None]:
        """One stream's place. Raises RateLimited for the organization's, Unavailable for the server's bound."""
        if self._open[organization_id] >= MAX_OF_ORGANIZATION:
            raise RateLimited(TOO_MANY, BUSY_SECONDS)
        if self.stopping.is_set() or self._open.total() >= MAX_STREAMS:
            raise Unavailable(FULL)
        self._open[organization_id] += 1
        try:
            with self.doorbell.attended():
                yield
        finally:
            self._open[organization_id] -= 1
            self._open += Counter()  # forgets organizations that have none
            if not self._open:
                self._closed.set()

    async def rest(self, seen: int) -> None:
        """Until the log may have grown beyond what was there at ``seen`` rings, or it is time to look anyway."""
        await asyncio.sleep(PACE_SECONDS)  # what comes in quick succession is read together
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.doorbell.bell.wait(seen)
        except TimeoutError:
            pass

    def count(self) -> int:
        """How many are open."""
        return self._open.total()

    async def close(self) -> None:
        """End all streams, and wait a moment until they have."""
        self.stopping.set()
        if not self._open:
            return
        self._closed.clear()
        try:
            async with asyncio.timeout(2 * FAREWELL_SECONDS):
                await self._closed.wait()
        except TimeoutError:
            log.warning("streams_left", count=self.count())


class EventStream(Response):
    """The answer that is a stream. ``check`` finds the caller again, and raises when it may read no longer."""

    media_type = "text/event-stream"

    def __init__(
        self, streams: Streams, principal: Principal, check: Check, chunks: Chunks, *, ends: bool = False
    ) -> None:
        """``ends``: there is a last chunk, after which nothing is to be said."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._streams, self._principal, self._check, self._chunks = streams, principal, check, chunks
        self._ends = ends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client, the caller's rights or the replica end."""
        with self._streams.slot(self._principal.organization_id):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            why = await self._run(receive, send)
            if why is not None:
                await _part(send, why)

    async def _run(self, receive: Receive, send: Send) -> RequestError | None:
        """Why the stream ended; None: nobody is there to be told."""
        works = {
            "stream": self._pump(send),
            "stream's caller": self._watch(),
            "stream's client": _gone(receive),
            "stream's server": self._stopped(),
        }
        running = [spawn(work, name=name) for name, work in works.items()]
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(*running)
        first = next(task for task in running if task in done)
        return Unavailable(BROKEN) if first.exception() is not None else first.result()

    async def _pump(self, send: Send) -> RequestError | None:
        async with aclosing(self._chunks) as chunks:
            if not await _sent(send, b"retry: %d\n\n" % RETRY_MS, SEND_SECONDS):
                return None
            try:
                async for chunk in chunks:
                    if not await _sent(send, chunk, SEND_SECONDS):
                        return None
                if self._ends:
                    await _sent(send, b"", FAREWELL_SECONDS, more=False)
                    return None
            except AWAY as error:
                log.warning("stream_unreadable", error=repr(error))
        return Unavailable(AWAY_DETAIL)

    async def _watch(self) -> RequestError:
        """Until the caller may read no longer, for which reason."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._check()
            except RequestError as error:
                return error
            except AWAY:
                return Unavailable(AWAY_DETAIL)

    async def _stopped(self) -> RequestError:
        await self._streams.stopping.wait()
        return Unavailable(STOPPING)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _sent(send: Send, chunk: bytes, seconds: float, *, more: bool = True) -> bool:
    """Whether the client took the chunk in time."""
    try:
        async with asyncio.timeout(seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    except OSError:  # TimeoutError is one; what a server raises for a client that went is another
        return False
    return True


async def _part(send: Send, why: RequestError) -> None:
    """Say why, if the client still takes it."""
    said = {"error": why.code, "detail": why.message}
    last = b"event: end\ndata: %s\n\n" % encode(said)
    if await _sent(send, last, FAREWELL_SECONDS):
        await _sent(send, b"", FAREWELL_SECONDS, more=False)
