"""The schemas that all resources share, as the OpenAPI document shows them."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from agentauri.serve.reading import BAD_TEXT, is_storable

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_OFFSET = 2**31 - 1
MAX_CURSOR_LENGTH = 256
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
EXAMPLE_ID = "5b0c9a2e-7c1f-4f43-9d3a-0d6f2a1b7c55"
EXAMPLE_TIME = "2026-11-23T08:00:00Z"


class Schema(BaseModel):
    """Base of documented answers: nothing beyond what is declared."""

    model_config = ConfigDict(extra="forbid")


class Body(BaseModel):
    """Base of request bodies: unknown members are errors, for a misspelt one that is ignored is worse."""

    model_config = ConfigDict(extra="forbid")


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError(BAD_TEXT)
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""A text that can be stored and searched for."""


def _within_time(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError("must lie between the years 1970 and 9999.")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within_time)]
"""A time with its zone, within what PostgreSQL and RFC 3339 both can write."""

Since = Annotated[Moment | None, Query(alias="from", description="At or after this time.", examples=[EXAMPLE_TIME])]
Until = Annotated[Moment | None, Query(alias="to", description="Before this time.", examples=[EXAMPLE_TIME])]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many entries at most.")]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET, description="How many entries to skip.")]
Cursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_LENGTH, description="`next_cursor` of the page before; leave it out for the first."),
]
Id = Annotated[UUID, Path(examples=[EXAMPLE_ID])]


class Pagination(Schema):
    """Where a page of a counted list stands."""

    total: int = Field(ge=0)
    limit: int = Field(ge=1, le=MAX_LIMIT)
    offset: int = Field(ge=0)
    has_more: bool


class CursorPagination(Schema):
    """Where a page of a log stands; ``next_cursor`` asks for the page after it."""

    limit: int = Field(ge=1, le=MAX_LIMIT)
    next_cursor: str | None
    has_more: bool


class Finding(Schema):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="JSON pointer into the body; into /query, /path or /header for what stands there.",
        examples=["/conditions/0/operator"],
    )
    detail: str


class Problem(Schema):
    """An error (RFC 9457). ``error`` is stable and made for programs, ``detail`` for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    error: str
    message: str
    request_id: str
    errors: list[Finding] | None = None
