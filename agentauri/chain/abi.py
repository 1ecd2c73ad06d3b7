"""Reading Solidity's ABI: the flat types that the registries' events are made of, strictly.

Every offset and length is checked against the data before anything is copied, and a value outside the range of its
type is an error, so foreign bytes end in DecodeError and in nothing else. There are no arrays, tuples or nested
types. Bytes that pad the end of a string are not looked at. eth-abi, which the tests compare with, takes four times
as long and refuses ill-formed UTF-8, which here is the caller's business.
"""

from collections.abc import Callable
from functools import lru_cache

from eth_hash.auto import keccak

from agentauri.errors import DecodeError

WORD = 32
"""Bytes of a word, the unit of the ABI."""
ADDRESS_BYTES = 20
CHECKSUM_CACHE = 65_536
"""Addresses whose checksum form is kept; making one costs a Keccak hash, and clients come back."""

Reader = Callable[[bytes, int, int], object]
"""(data, position of the value's head word, length of all heads) → value. Raises DecodeError."""


def word(data: bytes, at: int) -> bytes:
    """The word at ``at``. Raises DecodeError when it is not all there."""
    end = at + WORD
    if end > len(data):
        raise DecodeError(f"the data has {len(data)} bytes, a word at {at} needs {end}")
    return data[at:end]


def unsigned(bits: int) -> Reader:
    """Reader of uint<bits>."""
    limit = 1 << bits

    def read(data: bytes, at: int, _heads: int) -> int:
        value = int.from_bytes(word(data, at))
        if value >= limit:
            raise DecodeError(f"the number at {at} does not fit uint{bits}")
        return value

    return read


def signed(bits: int) -> Reader:
    """Reader of int<bits>."""
    limit = 1 << (bits - 1)

    def read(data: bytes, at: int, _heads: int) -> int:
        value = int.from_bytes(word(data, at), signed=True)
        if not -limit <= value < limit:
            raise DecodeError(f"the number at {at} does not fit int{bits}")
        return value

    return read


def boolean(data: bytes, at: int, _heads: int) -> bool:
    """Reader of bool."""
    value = int.from_bytes(word(data, at))
    if value > 1:
        raise DecodeError(f"the word at {at} is no bool")
    return value == 1


def address(data: bytes, at: int, _heads: int) -> str:
    """Reader of address, in EIP-55 checksum form."""
    found = word(data, at)
    if any(found[: WORD - ADDRESS_BYTES]):
        raise DecodeError(f"the word at {at} is no address")
    return checksum(found[WORD - ADDRESS_BYTES :])


def hash32(data: bytes, at: int, _heads: int) -> str:
    """Reader of bytes32, as 0x hex."""
    return "0x" + word(data, at).hex()


def word_text(data: bytes, at: int, _heads: int) -> bytes:
    """Reader of a text of at most 32 bytes that stands in a bytes32, without the zeros that fill it up."""
    return word(data, at).rstrip(b"\0")


def tail(data: bytes, at: int, heads: int) -> bytes:
    """Reader of string and bytes: the bytes that the head's offset points to."""
    start = int.from_bytes(word(data, at))
    if start < heads:
        raise DecodeError(f"the offset at {at} points into the heads")
    length = int.from_bytes(word(data, start))
    begin = start + WORD
    if length > len(data) - begin:
        raise DecodeError(f"the text at {start} claims {length} bytes, {len(data) - begin} are there")
    return data[begin : begin + length]


@lru_cache(maxsize=CHECKSUM_CACHE)
def checksum(raw: bytes) -> str:
    """The EIP-55 form of an address of 20 bytes."""
    plain = raw.hex()
    nibbles = keccak(plain.encode()).hex()
    return "0x" + "".join(char.upper() if nibble >= "8" else char for char, nibble in zip(plain, nibbles, strict=False))
