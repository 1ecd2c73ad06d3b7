"""An IPFS gateway on loopback, and files as importers cut them into blocks."""

import hashlib
from base64 import b32encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.loopback import served

RAW, DAG_PB = 0x55, 0x70


def cid_bytes(block: bytes, codec: int) -> bytes:
    """The identifier of a block, version 1."""
    return bytes((1, codec, 0x12, 32)) + hashlib.sha256(block).digest()


def cid_text(raw: bytes) -> str:
    """An identifier as it is written."""
    return "b" + b32encode(raw).decode().lower().rstrip("=")


def number(value: int) -> bytes:
    """A protobuf number."""
    written = b""
    while value > 0x7F:
        written += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return written + bytes((value,))


def member(place: int, value: bytes | int) -> bytes:
    """A protobuf field."""
    if isinstance(value, int):
        return number(place << 3) + number(value)
    return number(place << 3 | 2) + number(len(value)) + value


def node(kind: int, data: bytes = b"", links: list[tuple[str, bytes, int]] | None = None, more: bytes = b"") -> bytes:
    """A dag-pb block of UnixFS."""
    found = [member(2, member(1, cid) + member(2, name.encode()) + member(3, size)) for name, cid, size in links or []]
    inner = member(1, kind) + (member(2, data) if data else b"") + more
    return b"".join(found) + member(1, inner)


@dataclass
class Gateway:
    """Serves blocks by identifier; ``knows_raw`` False: files alone, whatever is asked for."""

    url: str = ""
    blocks: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    knows_raw: bool = True
    status: int = 200
    seen: Counter[str] = field(default_factory=Counter)

    def put(self, block: bytes, codec: int) -> bytes:
        """Keep a block; returns its identifier."""
        raw = cid_bytes(block, codec)
        self.blocks[cid_text(raw)] = block
        return raw

    def add(self, content: bytes, chunk: int = 256 * 1024) -> str:
        """Keep a file as importers do: one raw block, or a root over raw leaves."""
        chunks = [content[start : start + chunk] for start in range(0, len(content), chunk)] or [b""]
        if len(chunks) == 1:
            text = cid_text(self.put(content, RAW))
        else:
            links = [("", self.put(one, RAW), len(one)) for one in chunks]
            sizes = member(3, len(content)) + b"".join(member(4, len(one)) for one in chunks)
            text = cid_text(self.put(node(2, links=links, more=sizes), DAG_PB))
        self.files[text] = content
        return text

    async def handle(self, request: web.Request) -> web.Response:
        """Answer as a gateway."""
        cid = request.match_info["cid"]
        self.seen[cid] += 1
        held = self.blocks if self.knows_raw and request.query.get("format") == "raw" else self.files
        if self.status != 200 or cid not in held:
            return web.Response(status=404 if self.status == 200 else self.status)
        return web.Response(body=held[cid], content_type="application/octet-stream")


@asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    """A gateway on a free port."""
    found = Gateway()
    app = web.Application()
    app.router.add_get("/ipfs/{cid}", found.handle)
    async with served(app) as found.url:
        yield found
