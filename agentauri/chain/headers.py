"""Block headers as far as the indexer needs them, and what a header's bloom filter says about the registries.

The filter is a hint in one direction: a block without an address in its filter has no log of that address; a block
with it may have none either. Nodes that leave the filter empty say nothing by it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eth_hash.auto import keccak

from agentauri.chain.decoder import HASH, MAX_TIMESTAMP, hex_text, quantity
from agentauri.errors import DecodeError
from agentauri.models.log import BlockRef

BLOOM = re.compile(r"0x[0-9a-fA-F]{512}")
BLOOM_BITS = 2048
BLOOM_HASHES = 3
SPARSE_BITS = BLOOM_BITS // 4
"""Up to so many bits set, an address that is not there seems to be in fewer than 1 of 64 filters."""


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header. ``time`` is in seconds since 1970; ``bloom`` is the logs' filter as one number."""

    number: int
    hash: str
    parent_hash: str
    time: int
    bloom: int

    @property
    def ref(self) -> BlockRef:
        """Number, hash and time."""
        return BlockRef(self.number, self.hash, self.time)

    @property
    def sparse(self) -> bool:
        """Whether the filter is empty enough to be believed."""
        return self.bloom.bit_count() <= SPARSE_BITS


def read_header(answer: object) -> Header:
    """The header in an answer of eth_getBlockByNumber. Raises DecodeError, also for null."""
    if not isinstance(answer, Mapping):
        raise DecodeError(f"a block header is {type(answer).__name__}, not an object")
    bloom = answer.get("logsBloom")
    return Header(
        quantity(answer, "number"),
        hex_text(answer, "hash", HASH),
        hex_text(answer, "parentHash", HASH),
        quantity(answer, "timestamp", MAX_TIMESTAMP),
        0 if bloom is None else int(hex_text(answer, "logsBloom", BLOOM), 16),
    )


def bloom_mask(address: str) -> int:
    """The bits that logs of an address (0x hex) set in a block's filter."""
    digest = keccak(bytes.fromhex(address[2:]))
    pairs = (digest[2 * place : 2 * place + 2] for place in range(BLOOM_HASHES))
    mask = 0
    for pair in pairs:
        mask |= 1 << (int.from_bytes(pair) % BLOOM_BITS)
    return mask
