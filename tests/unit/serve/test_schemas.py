"""JSON values in bodies are taken for what they are, and times for nothing but RFC 3339."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentauri.serve.schemas import MOMENT, Body, Moment


class Kind(StrEnum):
    """A choice."""

    ONE = "one"


class Inner(Body):
    """A part."""

    flag: bool = False


class Whole(Body):
    """A body with a member of each kind."""

    flag: bool = False
    number: int | None = None
    share: float = 0.0
    text: str = ""
    kind: Kind = Kind.ONE
    id: UUID | None = None
    moment: Moment | None = None
    parts: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    "sent",
    [
        {"flag": 1}, {"flag": "yes"}, {"number": "5"}, {"number": True}, {"number": 5.5}, {"share": "0.5"},
        {"share": True}, {"text": 5}, {"kind": "two"}, {"id": "x"}, {"moment": 0}, {"moment": "0"},
        {"moment": "2026-02-30T00:00:00Z"}, {"moment": "1969-12-31T00:00:00Z"}, {"moment": "9999-01-01T00:00:00Z"},
        {"moment": "2026-01-01T00:00:00"}, {"moment": "2026-01-01"}, {"parts": [{"flag": "true"}]}, {"other": 1},
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Whole.model_validate(sent)


def test_five_is_five_with_a_point_too() -> None:
    assert Whole.model_validate({"number": 5.0}).number == 5
    assert Whole.model_json_schema()["properties"]["number"]["anyOf"][0] == {"type": "integer"}


def test_ids_times_and_choices_are_read_from_text() -> None:
    id_ = uuid4()
    read = Whole.model_validate({"id": str(id_), "kind": "one", "share": 1, "moment": "2026-11-23T08:00:00.5+02:00"})
    assert (read.id, read.kind, read.share) == (id_, Kind.ONE, 1.0)
    assert read.moment == datetime(2026, 11, 23, 6, 0, 0, 500_000, UTC)


@given(st.from_regex(MOMENT, fullmatch=True))
def test_a_moment_of_the_form_is_read_unless_the_month_is_shorter(text: str) -> None:
    adapter: TypeAdapter[datetime] = TypeAdapter(Moment)
    try:
        assert 1969 <= adapter.validate_python(text).astimezone(UTC).year <= 9999
    except ValidationError:
        assert int(text[8:10]) > 28
