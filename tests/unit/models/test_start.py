"""Where a new trigger begins: every way to write it, and what is wrong with others."""

from typing import Any

import pytest

from agentauri.errors import InvalidRequest
from agentauri.models.start import MAX_PLACE, Place, parse_start
from agentauri.models.trigger import TriggerFields

ANYWHERE = TriggerFields(name="a")
ON_CHAIN = TriggerFields(name="a", chain_id=1)


@pytest.mark.parametrize("raw", [None, "now"])
def test_now_is_no_place(raw: object) -> None:
    assert parse_start(raw, ANYWHERE) is None


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (5, Place(seq=5)),
        (5.0, Place(seq=5)),
        ({"seq": MAX_PLACE}, Place(seq=MAX_PLACE)),
        ({"block": 0}, Place(block=0)),
    ],
)
def test_place_is_a_seq_or_a_block(raw: object, place: Place) -> None:
    assert parse_start(raw, ON_CHAIN) == place


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        (False, ["/start"]),
        (0, ["/start"]),
        ("5", ["/start"]),
        ({"seq": 1, "block": 1}, ["/start"]),
        ({"seq": 1, "more": 1}, ["/start"]),
        ({"seq": True}, ["/start/seq"]),
        ({"seq": MAX_PLACE + 1}, ["/start/seq"]),
        ({"block": -1}, ["/start/block", "/start/block"]),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(raw: object, pointers: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_start(raw, ANYWHERE)
    assert [pointer for pointer, _ in refused.value.problems] == pointers


@pytest.mark.parametrize("fields", [{"enabled": False, "chain_id": 1}, {}])
def test_block_needs_a_chain_and_a_trigger_that_is_on(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        parse_start({"block": 1}, TriggerFields(name="a", **fields))
