"""Streams of the application for tests: opened as a server opens them, read a message at a time."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from tests.support.waiting import eventually

MESSAGE_SECONDS = 10.0


@dataclass(frozen=True)
class Message:
    """One block of a stream; ``event`` is "" for a mere sign of life."""

    event: str
    id: str
    data: Any


def parse(block: str) -> Message:
    """A block's fields; every line has to be one that the protocol knows."""
    fields = {"event": "", "id": "", "data": ""}
    for line in block.splitlines():
        name, _, value = line.partition(": ")
        if name in fields:
            fields[name] = value
        else:
            assert name in ("retry", ""), line
    return Message(fields["event"], fields["id"], json.loads(fields["data"]) if fields["data"] else None)


class Stream:
    """An open stream. ``room``: how many chunks the connection takes before the client reads them."""

    def __init__(self, app: FastAPI, path: str, headers: Mapping[str, str], room: int) -> None:
        parts = urlsplit(f"/api/v1{path}")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": parts.path, "raw_path": parts.path.encode(), "root_path": "",
            "query_string": parts.query.encode(), "client": ("127.0.0.1", 1), "server": ("test", 80),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        self.status = 0
        self.headers: dict[str, str] = {}
        self.last_id = ""
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(room)
        self._gone = asyncio.Event()
        self._asked = False
        self.ended = asyncio.get_running_loop().create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            await self._chunks.put(message["body"])

    async def body(self) -> Any:
        """The JSON of an answer that is no stream."""
        await self.ended
        return json.loads(self._chunks.get_nowait())

    async def next(self) -> Message:
        """The next message, signs of life left out; also remembers the id to come back with."""
        while True:
            async with asyncio.timeout(MESSAGE_SECONDS):
                found = parse((await self._chunks.get()).decode())
            self.last_id = found.id or self.last_id
            if found.event:
                return found

    async def take(self, count: int) -> list[Message]:
        """The next ``count`` messages."""
        return [await self.next() for _ in range(count)]

    async def last(self) -> Message:
        """The message that ends the stream."""
        while (found := await self.next()).event != "end":
            pass
        return found

    async def begun(self) -> None:
        """Until the first place was told: what happens from now on is in the stream."""
        while not self.last_id:
            async with asyncio.timeout(MESSAGE_SECONDS):
                self.last_id = parse((await self._chunks.get()).decode()).id

    def leave(self) -> None:
        """Go, as a client does that closes its connection."""
        self._gone.set()

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read."""
        return self._chunks.empty()


@asynccontextmanager
async def stream(
    app: FastAPI,
    path: str,
    token: str,
    *,
    last_id: str | None = None,
    room: int = 1_000,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Stream]:
    """A stream from its first place on; left at the end."""
    named = {"Authorization": f"Bearer {token}", **(headers or {})}
    if last_id is not None:
        named["Last-Event-ID"] = last_id
    opened = Stream(app, path, named, room)
    try:
        await eventually(lambda: opened.status)
        if opened.status == 200:
            await opened.begun()
        yield opened
    finally:
        opened.leave()
        while not opened.is_quiet():
            opened._chunks.get_nowait()
        async with asyncio.timeout(MESSAGE_SECONDS):
            await asyncio.wait([opened.ended])
