"""The shapes of answers: one resource, a counted list, a list with a cursor, and nothing.

Bodies are plain objects that orjson writes at once; what a route declares as its schema is documentation that the
tests hold against the answers, never work per request.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from fastapi.responses import Response

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def _text_of_id(value: object) -> str:
    """Ids as asyncpg makes them, in a class of its own that orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value).__name__)


def encode(content: Any) -> bytes:
    """Any value as JSON: times as RFC 3339 in UTC with ``Z``, ids as text."""
    return orjson.dumps(content, default=_text_of_id, option=JSON_OPTIONS)


class Json(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return encode(content)


def one(data: Any, status: int = 200) -> Json:
    """A single resource."""
    return Json({"data": data}, status)


def secret(answer: Json) -> Json:
    """Keep an answer that carries a secret out of every cache."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


def counted(rows: Sequence[Any], *, total: int, limit: int, offset: int) -> Json:
    """A page of a list whose length is known."""
    more = offset + len(rows) < total
    return Json({"data": rows, "pagination": {"total": total, "limit": limit, "offset": offset, "has_more": more}})


def continued(rows: Sequence[Any], *, limit: int, next_cursor: str | None) -> Json:
    """A page of a log; ``next_cursor`` asks for what follows, None: this is the end."""
    more = next_cursor is not None
    return Json({"data": rows, "pagination": {"limit": limit, "next_cursor": next_cursor, "has_more": more}})


def nothing() -> Response:
    """What a deletion answers."""
    return Response(status_code=204)
