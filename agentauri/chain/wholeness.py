"""Whether the logs of a range are whole and of one fork (protocol P9): the checks, as pure functions.

Each raises RangeNotWhole with the first thing that is wrong. They judge one provider's answer by the provider's own
headers; asking somebody else is up to source.py.
"""

from collections.abc import Collection, Mapping, Sequence

from agentauri.chain.decoder import Position
from agentauri.chain.headers import Header
from agentauri.errors import RangeNotWhole


def check_asked(positions: Sequence[Position], first: int, last: int, addresses: Collection[str]) -> None:
    """Every log is one that was asked for, once, and a block has one hash. Positions are in chain order."""
    previous: Position | None = None
    for position in positions:
        if not first <= position.block_number <= last:
            raise RangeNotWhole(f"a log of block {position.block_number} is outside {first}–{last}")
        if position.address not in addresses:
            raise RangeNotWhole(f"a log of {position.address} was not asked for")
        if previous is not None and previous.block_number == position.block_number:
            if previous.block_hash != position.block_hash:
                raise RangeNotWhole(f"logs of block {position.block_number} name two hashes")
            if previous.log_index == position.log_index:
                raise RangeNotWhole(f"log {position.log_index} of block {position.block_number} came twice")
        previous = position


def check_hashes(positions: Sequence[Position], headers: Mapping[int, Header]) -> None:
    """Every log whose block's header is known names that header's hash and, where it names one, its time."""
    for position in positions:
        header = headers.get(position.block_number)
        if header is None:
            continue
        if header.hash != position.block_hash:
            raise RangeNotWhole(f"logs of block {header.number} name {position.block_hash}, not {header.hash}")
        if position.block_timestamp not in (None, header.time):
            raise RangeNotWhole(f"logs of block {header.number} have the time of another block")


def check_links(headers: Sequence[Header], before: str) -> None:
    """Each header's parent is the one before it; the first one's is ``before``, where that is known."""
    parent = before
    for header in headers:
        if parent and header.parent_hash != parent:
            raise RangeNotWhole(f"block {header.number} has the parent {header.parent_hash}, not {parent}")
        parent = header.hash


def silent_blocks(headers: Sequence[Header], positions: Sequence[Position], masks: Mapping[str, int]) -> list[Header]:
    """Headers whose filter names an address of which the block brought no log. ``masks``: address → bits."""
    spoke = {(position.block_number, position.address) for position in positions}
    return [
        header
        for header in headers
        if any(header.bloom & mask == mask and (header.number, address) not in spoke for address, mask in masks.items())
    ]
