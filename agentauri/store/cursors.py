"""Cursors of logs that are read from new to old: the time and id of the last row that was shown, as opaque text.

A row with the same time and a greater id comes before; so a page after a cursor repeats nothing and skips nothing.
Every text of the form is a cursor: of times until the year 2540.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import UUID

from agentauri.errors import InvalidRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FORM = "^A[A-D][A-Za-z0-9_-]{30}$"
"""8 bytes of microseconds and 16 of the id in base64; the first ten bits are 0."""


def encode(moment: datetime, id: UUID) -> str:
    """The cursor that asks for what comes after a row."""
    microseconds = (moment - EPOCH) // MICROSECOND
    return urlsafe_b64encode(microseconds.to_bytes(8, "big", signed=True) + id.bytes).decode()


def decode(cursor: str) -> tuple[datetime, UUID]:
    """Time and id of the row that a cursor names. Raises InvalidRequest for what was not made here."""
    if not re.fullmatch(FORM, cursor):
        detail = "this cursor was not given out here; start again without it."
        raise InvalidRequest(detail, [("/query/cursor", detail)])
    raw = urlsafe_b64decode(cursor)
    return EPOCH + int.from_bytes(raw[:8], "big", signed=True) * MICROSECOND, UUID(bytes=raw[8:])
