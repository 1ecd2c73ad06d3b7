"""Cutting a range into parts that are committed one by one, each with the block up to which the chain is then whole.

Pure. A part ends between two blocks wherever it can. Only a block with more logs than a part holds is cut: its first
pieces move no checkpoint but are committed together with the block's hash, so that whoever goes on after a crash sees
whether it is still the same block (protocol P9).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agentauri.chain.decoder import Position
from agentauri.chain.source import Found
from agentauri.models.log import BlockRef


@dataclass(frozen=True, slots=True)
class Part:
    """Logs ``start`` to ``stop`` of a range. ``to`` is the new checkpoint, None inside of a block.

    ``blocks`` are those whose hashes are committed with the part; ``to`` is among them.
    """

    start: int
    stop: int
    to: BlockRef | None
    blocks: tuple[BlockRef, ...]


def cut(found: Found, size: int) -> list[Part]:
    """The parts of a range, in order, with at most ``size`` logs each; one without logs if the range has none."""
    parts: list[Part] = []
    start, below = 0, -1
    while len(found.positions) - start > size:
        stop = _stop(found.positions, start, size)
        block = _ref(found.positions[stop - 1])
        whole = found.positions[stop].block_number != block.number
        seen = tuple(one for one in found.blocks if below < one.number < block.number) if whole else ()
        parts.append(Part(start, stop, block if whole else None, (*seen, block)))
        start, below = stop, block.number if whole else below
    rest = tuple(one for one in found.blocks if below < one.number)
    return [*parts, Part(start, len(found.positions), found.end, rest)]


def _stop(positions: Sequence[Position], start: int, size: int) -> int:
    """Where the part ends: before the block that ``size`` logs would cut, or inside it if it is the only one."""
    stop = start + size
    cut_block = positions[stop].block_number
    first = stop
    while first > start and positions[first - 1].block_number == cut_block:
        first -= 1
    return first if first > start else stop


def _ref(position: Position) -> BlockRef:
    assert position.block_timestamp is not None
    return BlockRef(position.block_number, position.block_hash, position.block_timestamp)
