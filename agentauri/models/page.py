"""A page of the log on its way from the listener to the evaluators: the one message of the path (protocol P11).

``rows`` is PostgreSQL's own COPY text of the events, not decoded by the listener; ``store/log.py`` writes it and
``parse_rows`` reads it, in the order of ``COLUMNS``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentauri.models.event import Event
from agentauri.models.packed import unpack_changed

COLUMNS = (
    "seq", "id", "chain_id", "registry", "event_type", "agent_id", "contract", "block_number", "block_hash",
    "block_timestamp", "transaction_hash", "log_index", "data",
)  # fmt: skip
"""Columns of a row, in order; block_timestamp as whole seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Version:
    """A trigger's definition from ``from_seq`` on; None: it was off or gone (protocol P7).

    ``state`` and ``changes`` (packed) are of one that began in the past and joins the log here.
    """

    trigger_id: UUID
    from_seq: int
    partition: int
    definition: dict[str, Any] | None
    state: bytes | None = None
    changes: bytes | None = None

    @property
    def remembered(self) -> dict[str, Any] | None:
        """What the trigger remembers here of the events before; None: what it remembered so far."""
        return unpack_changed(self.state, self.changes)


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
    """Undo COPY's text escapes. NUL cannot occur in PostgreSQL text, so it can stand in for a backslash meanwhile."""
    if b"\\" not in field:
        return field
    out = field.replace(b"\\\\", b"\0").replace(b"\\t", b"\t").replace(b"\\n", b"\n").replace(b"\\r", b"\r")
    out = out.replace(b"\\b", b"\b").replace(b"\\f", b"\f").replace(b"\\v", b"\v")
    return out.replace(b"\0", b"\\")


_texts: dict[bytes, str] = {}
MOST_TEXTS = 4_096


def _text(raw: bytes) -> str:
    """A short text that comes again and again (a registry, an event type), decoded once."""
    found = _texts.get(raw)
    if found is None:
        found = unescape(raw).decode()
        if len(_texts) < MOST_TEXTS:
            _texts[raw] = found
    return found


class RowEvent(Event):
    """An event that decodes what the index asks for at once, and the rest of its row when somebody looks."""

    __slots__ = ("_row",)

    def __init__(self, line: bytes) -> None:
        row = line.split(b"\t")
        self._row = row
        self._data = None
        self.seq = int(row[0])
        self.chain_id = int(row[2])
        self.registry = _text(row[3])
        self.event_type = _text(row[4])
        self.agent_id = None if row[5] == b"\\N" else int(row[5])
        self.block_timestamp = int(row[9])

    @property
    def id(self) -> UUID:  # type: ignore[override]  # computed where the base class stores
        """Id of the row."""
        return UUID(self._row[1].decode())

    @property
    def contract(self) -> str:  # type: ignore[override]  # as above
        """Address of the registry."""
        return unescape(self._row[6]).decode()

    @property
    def block_number(self) -> int:  # type: ignore[override]  # as above
        """Number of the block."""
        return int(self._row[7])

    @property
    def block_hash(self) -> str:  # type: ignore[override]  # as above
        """Hash of the block."""
        return unescape(self._row[8]).decode()

    @property
    def transaction_hash(self) -> str:  # type: ignore[override]  # as above
        """Hash of the transaction."""
        return unescape(self._row[10]).decode()

    @property
    def log_index(self) -> int:  # type: ignore[override]  # as above
        """Index of the log in its block."""
        return int(self._row[11])

    @property
    def data_json(self) -> bytes:  # type: ignore[override]  # as above
        """The decoded arguments as JSON text."""
        return unescape(self._row[12])


def parse_rows(rows: bytes) -> Iterator[Event]:
    """The events of a page, in seq order."""
    return map(RowEvent, filter(None, rows.split(b"\n")))
