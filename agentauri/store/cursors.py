"""Cursors of logs that are read from new to old: the time and id of the last row that was shown, as opaque text.

A row with the same time and a greater id comes before; so a page after a cursor repeats nothing and skips nothing.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from agentauri.errors import InvalidRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CURSOR_BYTES = 8 + 16


def encode(moment: datetime, id: UUID) -> str:
    """The cursor that asks for what comes after a row."""
    microseconds = (moment - EPOCH) // MICROSECOND
    return urlsafe_b64encode(microseconds.to_bytes(8, "big", signed=True) + id.bytes).decode()


def decode(cursor: str) -> tuple[datetime, UUID]:
    """Time and id of the row that a cursor names. Raises InvalidRequest for what was not made here."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
        if len(raw) != CURSOR_BYTES:
            raise ValueError(cursor)
        return EPOCH + int.from_bytes(raw[:8], "big", signed=True) * MICROSECOND, UUID(bytes=raw[8:])
    except (ValueError, OverflowError) as error:
        detail = "this cursor was not given out here; start again without it."
        raise InvalidRequest(detail, [("/query/cursor", detail)]) from error
