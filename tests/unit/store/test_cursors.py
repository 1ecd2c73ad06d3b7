from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.errors import InvalidRequest
from agentauri.store import cursors

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 2**54 - 1).map(lambda micros: EPOCH + timedelta(microseconds=micros))


@given(MOMENTS, st.uuids())
def test_cursor_names_the_row_it_was_made_of(moment: datetime, id_: UUID) -> None:
    assert cursors.decode(cursors.encode(moment, id_)) == (moment, id_)


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "é", "A" * 400, "A" * 32 + "*", "z" * 32])
def test_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        cursors.decode(cursor)


@given(st.from_regex(cursors.FORM, fullmatch=True))
def test_every_text_of_the_form_is_a_cursor(cursor: str) -> None:
    assert cursors.encode(*cursors.decode(cursor)) == cursor
