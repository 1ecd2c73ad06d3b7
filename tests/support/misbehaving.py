"""A receiver on loopback that misbehaves in the way that the path of the request asks for."""

import asyncio
import gzip
import itertools
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FLOOD_BYTES = 10 * 1024 * 1024
CHUNK = b"x" * 65536


@cache
def bomb() -> bytes:
    """200 KB that would be 200 MB."""
    return gzip.compress(bytes(200 * 1024 * 1024), compresslevel=9)


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


PLAIN = {
    "/ok": OK,
    "/early": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/old": b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "/302": answer("302 Found", "Location: /ok"),
    "/400": answer("400 Bad Request", body=b"\x00bad\x1b[31m \xff\xfe " + "ü".encode() * 3000),
    "/410": answer("410 Gone"),
    "/429": answer("429 Too Many Requests", "Retry-After: 7"),
    "/500": answer("500 Internal Server Error", body=b"no"),
    "/nonsense": b"HELLO\r\n\r\n",
    "/short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
}


@dataclass
class Misbehaving:
    """What arrived, by path; ``open`` connections, and how many there were at most."""

    port: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    requests: list[bytes] = field(default_factory=list)
    open: int = 0
    most_open: int = 0
    connections: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a behaviour."""
        return f"http://{host}:{self.port}{path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.idle.clear()
        self.connections += 1
        self.most_open = max(self.open, self.most_open)
        self.writers.add(writer)
        try:
            while await self.serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            self.writers.discard(writer)
            writer.close()
            if not self.open:
                self.idle.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection is kept."""
        head = await reader.readuntil(b"\r\n\r\n")
        path, _, query = head.split(b" ", 2)[1].decode().partition("?")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        body = await reader.readexactly(length)
        self.seen[path] += 1
        self.requests.append(head + body)
        return await self.behave(path, reader, writer, query)

    async def behave(
        self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, query: str = ""
    ) -> bool:
        match path:
            case "/hang":
                await reader.read()
            case "/reset":
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case "/flood":
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {FLOOD_BYTES}\r\n\r\n".encode())
                for _ in range(FLOOD_BYTES // len(CHUNK)):
                    writer.write(CHUNK)
                    await writer.drain()
            case "/drip" | "/drip-head":
                begin = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 1000\r\n\r\n" if path == "/drip" else b"X: ")
                writer.write(begin)
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            case "/endless-headers":
                writer.write(b"HTTP/1.1 200 OK\r\n")
                for number in itertools.count():
                    writer.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
                    await writer.drain()
            case "/gzip-bomb":
                writer.write(answer("200 OK", "Content-Encoding: gzip", "Content-Type: text/plain", body=bomb()))
                await writer.drain()
                return True
            case "/429-date":
                later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
                writer.write(answer("429 Too Many Requests", f"Retry-After: {later}"))
                await writer.drain()
                return True
            case "/500-cut":
                shift = int(query or 0)
                writer.write(answer("500 Internal Server Error", body=(b"x" * shift + "🦊ü".encode() * 2000)[:9001]))
                await writer.drain()
                return True
            case "/ok-then-close":
                writer.write(OK)
            case _:
                writer.write(PLAIN.get(path, OK))
                await writer.drain()
                return path not in ("/nonsense", "/short", "/old")
        return False


@asynccontextmanager
async def misbehaving() -> AsyncIterator[Misbehaving]:
    """A receiver on a free port."""
    receiver = Misbehaving()
    server = await asyncio.start_server(receiver.handle, "", 0, family=socket.AF_INET)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for writer in list(receiver.writers):
            writer.transport.abort()
        await server.wait_closed()
        await receiver.idle.wait()
