"""Content identifiers of IPFS: reading them, and telling whether a block is the one that is named.

SHA-256 over raw blocks and dag-pb, the two kinds that files are made of; anything else is refused with a reason. Pure
and bounded: a block is looked at once, and no length inside it is believed beyond its end.
"""

import hashlib
from base64 import b32decode, b32encode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from agentauri.errors import Unobtainable

RAW, DAG_PB = 0x55, 0x70
SHA_256, DIGEST_BYTES = 0x12, 32
BASE58 = {char: value for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
MAX_CID_LENGTH = 128
VARINT_BYTES = 9
CHUNK_BYTES = (256 * 1024, 1024 * 1024)
"""How large files are cut by the usual importers."""


class Unixfs(IntEnum):
    """What a dag-pb block is."""

    RAW = 0
    DIRECTORY = 1
    FILE = 2


@dataclass(frozen=True, slots=True)
class Cid:
    """An identifier: the codec of the block that it names, and the block's SHA-256."""

    text: str
    codec: int
    digest: bytes

    def names(self, block: bytes) -> bool:
        """Whether ``block`` is the one."""
        return hashlib.sha256(block).digest() == self.digest

    def names_file(self, content: bytes) -> bool:
        """Whether a file of this content, cut as the usual importers do, has this identifier."""
        if self.codec == RAW:
            return self.names(content)
        return any(self.digest == root for root in _roots(content))


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a dag-pb block."""

    name: str
    cid: bytes


@dataclass(frozen=True, slots=True)
class Node:
    """A dag-pb block: what it is, what it holds, and what it links to."""

    kind: int
    data: bytes
    links: tuple[Link, ...]


def parse_cid(text: str) -> Cid:
    """The identifier that a text is. Raises Unobtainable."""
    try:
        if len(text) > MAX_CID_LENGTH or not (text.isascii() and text.isalnum()):
            raise ValueError("too long, or other characters")
        if len(text) == 46 and text.startswith("Qm"):
            return _from_multihash(text, DAG_PB, _base58(text))
        return cid_of(_decode(text), text)
    except (ValueError, KeyError, IndexError) as error:
        raise Unobtainable(f"{text[:MAX_CID_LENGTH]} is not an IPFS content identifier.") from error


def cid_of(raw: bytes, text: str = "") -> Cid:
    """The identifier of these bytes. Raises ValueError, and Unobtainable for one of a kind that is not known here."""
    if raw[:2] == bytes((SHA_256, DIGEST_BYTES)):
        raw = bytes((1, DAG_PB)) + raw  # version 0 is a bare hash
    version, at = _varint(raw, 0)
    codec, at = _varint(raw, at)
    if version != 1:
        raise ValueError("an unknown version")
    if codec not in (RAW, DAG_PB):
        raise Unobtainable(f"the IPFS content is of a kind (codec 0x{codec:x}) that is no file.")
    return _from_multihash(text or "b" + b32encode(raw).decode().lower().rstrip("="), codec, raw[at:])


def parse_node(block: bytes) -> Node:
    """A dag-pb block of UnixFS. Raises Unobtainable."""
    try:
        links, inner = [], b""
        for field, value in _fields(block):
            if field == 2 and isinstance(value, bytes):
                parts = dict(_fields(value))
                links.append(Link(_bytes(parts.get(2, b"")).decode(errors="replace"), _bytes(parts[1])))
            elif field == 1:
                inner = _bytes(value)
        unixfs = dict(_fields(inner))
        return Node(int(unixfs.get(1, Unixfs.RAW)), _bytes(unixfs.get(2, b"")), tuple(links))
    except (ValueError, KeyError, TypeError) as error:
        raise Unobtainable("the IPFS content is damaged.") from error


def _from_multihash(text: str, codec: int, raw: bytes) -> Cid:
    kind, at = _varint(raw, 0)
    length, at = _varint(raw, at)
    if kind != SHA_256 or length != DIGEST_BYTES:
        raise Unobtainable(f"the IPFS content is named by a hash (0x{kind:x}) that is not SHA-256.")
    if len(raw) - at != DIGEST_BYTES:
        raise ValueError("a hash of another length")
    return Cid(text, codec, raw[at:])


def _decode(text: str) -> bytes:
    base, digits = text[:1], text[1:]
    match base:
        case "b" | "B":
            return b32decode(digits.upper() + "=" * (-len(digits) % 8))
        case "z":
            return _base58(digits)
        case "f" | "F":
            return bytes.fromhex(digits)
        case _:
            raise ValueError("an unknown base")


def _base58(text: str) -> bytes:
    number = 0
    for char in text:
        number = number * 58 + BASE58[char]
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + VARINT_BYTES, len(raw))):
        value |= (raw[place] & 0x7F) << shift
        if raw[place] < 0x80:
            return value, place + 1
        shift += 7
    raise ValueError("a number without end")


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protobuf message: numbers and byte strings, which is all that dag-pb has."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        value, at = _varint(raw, at)
        if tag & 7 == 0:
            yield tag >> 3, value
        elif tag & 7 == 2 and value <= len(raw) - at:
            yield tag >> 3, raw[at : at + value]
            at += value
        else:
            raise ValueError("a field of an unknown type")


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where bytes are due")
    return value


# -- what importers make of a file -----------------------------------------------------------------------------------


def _roots(content: bytes) -> Iterator[bytes]:
    """Digests of the dag-pb roots that a file of this content may have."""
    yield hashlib.sha256(_file_block(content)).digest()
    for size in CHUNK_BYTES:
        chunks = [content[start : start + size] for start in range(0, len(content), size)]
        if len(chunks) > 1:
            yield _root(content, chunks, [_file_block(chunk) for chunk in chunks], b"")
            yield _root(content, chunks, chunks, b"\x01\x55")


def _root(content: bytes, chunks: list[bytes], blocks: list[bytes], prefix: bytes) -> bytes:
    head = bytes((SHA_256, DIGEST_BYTES))
    links = b"".join(
        _field(2, _field(1, prefix + head + hashlib.sha256(block).digest()) + _field(2, b"") + _number(3, len(block)))
        for block in blocks
    )
    sizes = b"".join(_number(4, len(chunk)) for chunk in chunks)
    inner = _number(1, Unixfs.FILE) + _number(3, len(content)) + sizes
    return hashlib.sha256(links + _field(1, inner)).digest()


def _file_block(content: bytes) -> bytes:
    data = _field(2, content) if content else b""
    return _field(1, _number(1, Unixfs.FILE) + data + _number(3, len(content)))


def _number(field: int, value: int) -> bytes:
    return _write_varint(field << 3) + _write_varint(value)


def _field(field: int, value: bytes) -> bytes:
    return _write_varint(field << 3 | 2) + _write_varint(len(value)) + value


def _write_varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))
