"""A receiver of webhooks for ``bench delivery`` that costs next to nothing: a process of its own, run as a script.

Usage: ``python -m agentauri.bench.hook_receiver ADDRESS…``; prints its port, serves on it at every address until it
is ended. Paths that begin with ``/hang`` are never answered. ``GET /counts`` answers what arrived since the last one,
as JSON, with every SAMPLE-th request whole, so that signatures can be checked after the clock has stopped.
"""

import asyncio
import socket
import sys
from dataclasses import asdict, dataclass, field
from typing import cast

import orjson
import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "
SAMPLE = 499
BACKLOG = 1024


@dataclass(slots=True)
class Counts:
    """What arrived."""

    connections: int = 0
    requests: int = 0
    hung: int = 0
    samples: list[str] = field(default_factory=list)


class _Hook(asyncio.Protocol):
    counts = Counts()

    def __init__(self) -> None:
        self._buffer = b""
        self._is_new = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head = self._buffer.find(HEAD_END)
        if head < 0:
            return
        end = head + len(HEAD_END) + _length(self._buffer[:head])
        if len(self._buffer) >= end:
            request, self._buffer = self._buffer[:end], self._buffer[end:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET /counts "):
            body = orjson.dumps(asdict(self.counts))
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            _Hook.counts = Counts()
            return
        self.counts.connections += self._is_new
        self._is_new = False
        if b" /hang" in request[:16]:
            self.counts.hung += 1
            return
        self._transport.write(ANSWER)
        self.counts.requests += 1
        if self.counts.requests % SAMPLE == 0:
            self.counts.samples.append(request.decode())


def _length(head: bytes) -> int:
    at = head.lower().find(LENGTH)
    return int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _listen(address: str, port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((address, port))
    return listening


async def _serve(addresses: list[str]) -> None:
    loop, port = asyncio.get_running_loop(), 0
    for address in addresses:
        listening = _listen(address, port)
        port = listening.getsockname()[1]
        await loop.create_server(_Hook, sock=listening, backlog=BACKLOG)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1:]))
