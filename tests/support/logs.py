"""Decoded logs to put into the store, as the decoder would make them."""

from collections.abc import Mapping
from typing import Any

from agentauri.models.event import Registry
from agentauri.models.log import BlockRef, DecodedLog

CONTRACT = "0x5FC8d32690cc91D4c39d9d3abcBD16989F875707"
FIRST_TIME = 1_790_000_000


def block(number: int, fork: str = "a") -> BlockRef:
    """A block of a fork; 10 seconds after the one before it."""
    return BlockRef(number, f"0x{fork}{number:063x}", FIRST_TIME + 10 * number)


def a_log(
    at: BlockRef, index: int = 0, *, agent_id: int | None = 7, data: Mapping[str, Any] | None = None
) -> DecodedLog:
    """One event of a block."""
    return DecodedLog(
        Registry.REPUTATION,
        "NewFeedback",
        agent_id,
        CONTRACT,
        at.number,
        at.hash,
        at.time,
        f"0x{index:064x}",
        index,
        data if data is not None else {"value": "85", "score": "85"},
    )
