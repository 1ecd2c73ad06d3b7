"""A page of the log on its way from the listener to the evaluators: the one message of the path (protocol P11).

``rows`` is PostgreSQL's own COPY text of the events, not decoded by the listener: an evaluator splits it once.
``parse_rows`` and ``COLUMNS`` are the two ends of that format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentauri.models.event import Event

COLUMNS = (
    "seq", "id", "chain_id", "registry", "event_type", "agent_id", "contract", "block_number", "block_hash",
    "block_timestamp", "transaction_hash", "log_index", "data",
)  # fmt: skip
"""Columns of a row, in order; block_timestamp as whole seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Version:
    """A trigger's definition from ``from_seq`` on; None: it was off or gone (protocol P7)."""

    trigger_id: UUID
    from_seq: int
    partition: int
    definition: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Retraction:
    """The chain left the blocks above ``fork_block``: its events from ``first_seq`` on, below ``seq``, are void."""

    seq: int
    chain_id: int
    fork_block: int
    first_seq: int


@dataclass(frozen=True, slots=True)
class Clock:
    """Everything of the chain up to ``time`` (seconds since 1970) has a seq at or below ``seq`` (protocol P12)."""

    chain_id: int
    time: int
    seq: int


@dataclass(frozen=True, slots=True)
class Page:
    """The log in (after_seq, last_seq], whole. ``count`` is the number of events in ``rows``."""

    epoch: int
    after_seq: int
    last_seq: int
    count: int
    rows: bytes
    versions: tuple[Version, ...] = ()
    retractions: tuple[Retraction, ...] = ()
    clocks: tuple[Clock, ...] = ()


def unescape(field: bytes) -> bytes:
    """Undo COPY's text escapes; what PostgreSQL writes here contains no others than these."""
    if b"\\" not in field:
        return field
    out = field.replace(b"\\\\", b"\0").replace(b"\\t", b"\t").replace(b"\\n", b"\n").replace(b"\\r", b"\r")
    out = out.replace(b"\\b", b"\b").replace(b"\\f", b"\f").replace(b"\\v", b"\v")
    return out.replace(b"\0", b"\\")


def parse_rows(rows: bytes) -> Iterator[Event]:
    """The events of a page, in seq order. NUL cannot occur in PostgreSQL text, so it is a safe stand-in above."""
    for line in rows.split(b"\n"):
        if not line:
            continue
        (seq, id_, chain, registry, kind, agent, contract, number, block, time, transaction, index, data) = line.split(
            b"\t"
        )
        yield Event(
            seq=int(seq),
            id=UUID(id_.decode()),
            chain_id=int(chain),
            registry=registry.decode(),
            event_type=unescape(kind).decode(),
            agent_id=None if agent == b"\\N" else int(agent),
            contract=unescape(contract).decode(),
            block_number=int(number),
            block_hash=unescape(block).decode(),
            block_timestamp=int(time),
            transaction_hash=unescape(transaction).decode(),
            log_index=int(index),
            data_json=unescape(data),
        )
