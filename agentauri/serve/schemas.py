"""The schemas that all resources share, as the OpenAPI document shows them."""

import re
from itertools import islice
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from agentauri.serve.reading import BAD_TEXT, is_storable
from agentauri.store import cursors

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
MAX_OFFSET = 2**31 - 1
MAX_UNKNOWN = 100
"""Members of a body that are named as unknown; more than any body has known ones."""
MOMENT = (
    r"^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""RFC 3339 from 1970 to 9998: in every zone within what PostgreSQL and RFC 3339 both can write."""
MAX_EMAIL = 254
EXAMPLE_EMAIL = "ada@example.com"
EXAMPLE_ID = "5b0c9a2e-7c1f-4f43-9d3a-0d6f2a1b7c55"
EXAMPLE_TIME = "2026-11-23T08:00:00Z"


class Schema(BaseModel):
    """Base of documented answers: nothing beyond what is declared."""

    model_config = ConfigDict(extra="forbid")


SCALARS = ("bool", "int", "float", "str")
NO_SCHEMAS = ("default", "metadata", "serialization")


def _whole(value: object) -> object:
    """5 for 5.0, which in JSON are one number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _be_strict(part: object) -> None:
    """Make every number, boolean and text within a core schema refuse what only can be read as one."""
    if isinstance(part, dict):
        if part.get("type") in SCALARS:
            part["strict"] = True
        if part.get("type") == "int":
            whole = dict(part)
            part.clear()
            part.update(no_info_before_validator_function(_whole, cast("CoreSchema", whole)))
            return
        for name, inner in part.items():
            if name not in NO_SCHEMAS:
                _be_strict(inner)
    elif isinstance(part, list | tuple):
        for inner in part:
            _be_strict(inner)


class Body(BaseModel):
    """Base of request bodies: unknown members are errors, for a misspelt one that is ignored is worse.

    A JSON value is taken for what it is: ``"5"`` and ``true`` are no numbers, ``"yes"`` and ``1`` are not true.
    """

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's own schema, strict about numbers, booleans and text; ids, times and enums are read from text."""
        schema = handler(source)
        _be_strict(schema)
        return schema

    @model_validator(mode="before")
    @classmethod
    def _few_unknown(cls, sent: Any) -> Any:
        """Of very many unknown members only the first are looked at: each costs as much as a small request."""
        if not isinstance(sent, dict) or len(sent) <= MAX_UNKNOWN:
            return sent
        unknown = islice((name for name in sent if name not in cls.model_fields), MAX_UNKNOWN)
        names = [*(name for name in cls.model_fields if name in sent), *unknown]
        return {name: sent[name] for name in names}


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError(BAD_TEXT)
    return text


Text = Annotated[str, AfterValidator(_storable)]
"""A text that can be stored and searched for."""


Email = Annotated[
    Text, Field(min_length=3, max_length=MAX_EMAIL, examples=[EXAMPLE_EMAIL], json_schema_extra={"format": "email"})
]
"""An address; ``accounts.emails`` looks at its form. International ones are taken too."""


def given_out(form: str, remedy: str) -> AfterValidator:
    """For a text that only answers of ours hold: who sends another one is told what to do, and not a pattern."""

    def check(text: str) -> str:
        if not re.fullmatch(form, text):
            raise ValueError(f"was not given out here; {remedy}.")
        return text

    return AfterValidator(check)


def _moment(raw: object) -> object:
    if not isinstance(raw, str) or not re.fullmatch(MOMENT, raw):
        raise ValueError("must be a time such as 2026-11-23T08:00:00Z, between the years 1970 and 9998.")
    return raw


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": MOMENT, "examples": [EXAMPLE_TIME]}),
]
"""A time with its zone."""

Since = Annotated[Moment | None, Query(alias="from", description="At or after this time.", examples=[EXAMPLE_TIME])]
Until = Annotated[Moment | None, Query(alias="to", description="Before this time.", examples=[EXAMPLE_TIME])]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many entries at most.")]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET, description="How many entries to skip.")]
Cursor = Annotated[
    Annotated[str, Field(json_schema_extra={"pattern": cursors.FORM})] | None,
    Query(description="`next_cursor` of the page before; leave it out for the first."),
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
