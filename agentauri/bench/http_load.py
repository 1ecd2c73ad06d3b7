"""A load of HTTP requests that costs little itself: prepared bytes over open connections, one at a time on each.

On two cores the client's own work is part of every figure, and a full HTTP client would be most of it. Reads just
enough of an answer to know its status and where it ends; anything but the expected status fails the run.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

CONNECT_SECONDS = 10.0
HEAD_END = b"\r\n\r\n"


class Unexpected(AssertionError):
    """An answer with another status than the run is about, or a connection that closed."""


@dataclass(slots=True)
class Load:
    """What is sent: ``requests`` in turn by each connection, answered with ``status``."""

    requests: Sequence[bytes]
    status: int
    milliseconds: list[float] = field(default_factory=list)

    def rate(self, seconds: float) -> float:
        """Requests a second."""
        return len(self.milliseconds) / seconds

    def percentile(self, share: float) -> float:
        """Milliseconds that ``share`` of the requests took at most."""
        return sorted(self.milliseconds)[int(len(self.milliseconds) * share)]


def request(method: str, path: str, port: int, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + HEAD_END + body


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load, number: int, until: float) -> None:
        self._load, self._number, self._until = load, number, until
        self._buffer, self._sent_at = b"", 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(HEAD_END)
        if end < 0 or len(self._buffer) < end + len(HEAD_END) + _length(self._buffer[:end]):
            return
        now = time.perf_counter()
        if int(self._buffer[9:12]) != self._load.status:
            self._finish(Unexpected(self._buffer[:600].decode("utf-8", "replace")))
            return
        self._load.milliseconds.append(1000 * (now - self._sent_at))
        self._buffer = b""
        if now < self._until:
            self._send()
        else:
            self._finish(None)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(Unexpected("the connection was closed"))

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.requests[self._number % len(self._load.requests)])

    def _finish(self, error: Exception | None) -> None:
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
        self._transport.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise Unexpected(f"an answer without a length: {head[:200]!r}")


async def send(load: Load, *, port: int, connections: int, seconds: float) -> float:
    """Send ``load`` for about ``seconds``, and return how long it took. Raises Unexpected."""
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    until = began + seconds
    made = []
    for number in range(connections):
        connecting = loop.create_connection(lambda number=number: _Connection(load, number, until), "127.0.0.1", port)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        made.append((await asyncio.wait_for(connecting, CONNECT_SECONDS))[1])
    await asyncio.gather(*(connection.done for connection in made))
    return time.perf_counter() - began
