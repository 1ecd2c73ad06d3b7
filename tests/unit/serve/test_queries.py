"""Query strings as models: what is remembered is what would be read, and mistakes point at their parameter."""

import pytest
from fastapi import Request
from fastapi.exceptions import RequestValidationError

from agentauri.serve.queries import MAX_KEPT_BYTES, documented, query_of
from agentauri.serve.triggers.schemas import TriggerQuery

read = query_of(TriggerQuery)


def asked(text: str) -> Request:
    return Request({"type": "http", "query_string": text.encode("latin-1"), "headers": []})


async def test_parameters_are_read_as_they_are_meant_each_time_anew_or_remembered() -> None:
    text = "chain_id=84532&registry=reputation&enabled=false&search=low%20score&limit=5&offset=10&unknown=1"
    first, again = await read(asked(text)), await read(asked(text))
    assert first is again
    assert (first.chain_id, first.registry, first.enabled, first.search) == (84532, "reputation", False, "low score")
    assert (first.limit, first.offset) == (5, 10)
    assert (await read(asked(""))) == TriggerQuery()
    assert (await read(asked("limit=1&limit=2"))).limit == 2


async def test_long_text_is_read_and_not_remembered() -> None:
    text = "limit=7&" + "x" * MAX_KEPT_BYTES
    first, again = await read(asked(text)), await read(asked(text))
    assert first == again
    assert first is not again


@pytest.mark.parametrize(
    "text", ["limit=0", "limit=x", "limit=", "offset=-1", "chain_id=0", "enabled=perhaps", "search="]
)
async def test_mistake_is_told_each_time_where_it_is(text: str) -> None:
    for _ in range(2):
        with pytest.raises(RequestValidationError) as caught:
            await read(asked(text))
        assert [one["loc"] for one in caught.value.errors()] == [("query", text.partition("=")[0])]


def test_document_shows_every_parameter_with_its_words() -> None:
    shown = documented(TriggerQuery)["parameters"]
    assert [one["name"] for one in shown] == list(TriggerQuery.model_fields)
    assert all(one["in"] == "query" and one["description"] and not one["required"] for one in shown)
