"""A decoded log on its way from a chain into the store, before it has an id and a seq.

The decoder makes these, the store writes them; what is read back from the store is an ``Event`` (event.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agentauri.models.event import Registry


@dataclass(frozen=True, slots=True)
class DecodedLog:
    """One log of a registry. ``block_timestamp`` is in seconds since 1970, None where the node did not give it.

    ``agent_id`` is None where the event has no agent, or one beyond 2^63−1, which stands in ``data`` as text.
    """

    registry: Registry
    event_type: str
    agent_id: int | None
    contract: str
    block_number: int
    block_hash: str
    block_timestamp: int | None
    transaction_hash: str
    log_index: int
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by number and hash, with its time in seconds since 1970."""

    number: int
    hash: str
    time: int
