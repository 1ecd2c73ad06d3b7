"""Rendering: types kept in JSON, escaping for the target, one pass, bounded size."""

import time
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.channels.templates import Escape, plain, render_json, render_text, url_part
from agentauri.errors import TemplateError
from agentauri.models.template import JsonValue, parse_json, parse_text
from agentauri.models.template_names import is_known
from tests.support.queue import EVENT

VALUES: dict[str, Any] = {
    "event": EVENT,
    "trigger": {"id": "t", "name": 'Low "score"'},
    "computed": {"10": {"count": 4}, "2": {"ema": 61.5, "previous": None}},
    "delivery": {"id": "d"},
}


def text(source: str, values: dict[str, Any] = VALUES, escape: Escape = plain) -> str:
    return render_text(parse_text(source, is_known), values, escape)


def json(source: JsonValue, values: dict[str, Any] = VALUES) -> JsonValue:
    return render_json(parse_json(source, is_known), values)


def with_tag(tag: str) -> dict[str, Any]:
    return {**VALUES, "event": {**EVENT, "data": {**EVENT["data"], "tag1": tag}}}  # type: ignore[dict-item]  # EVENT is loosely typed


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{agent_id}}", "42"), ("{{score}}/100", "59.5/100"), ("{{event.data.score}}", "59.5"),
        ("{{file_uri}}", ""), ('{{file_uri | default:"none"}}', "none"), ('{{tag2 | default:"none"}}', "none"),
        ("{{tag1 | upper}}", "QUALITY"), ("{{transaction_hash | short}}", "0xcdcd…cdcd"),
        ("{{tag1 | short}}", "quality"),
        ('{{timestamp | date:"%d.%m.%Y %H:%M"}}', "23.11.2026 08:00"), ("{{trigger.name | json}}", '"Low \\"score\\""'),
        ("{{ema_score}} {{count}}", "61.5 4"), ("{{computed.2.ema}}", "61.5"), ("{{computed.3.ema}}", ""),
        ("{{computed.2.previous}}", ""), ("{{file_uri | json}}", "null"), ("{{delivery.id}}", "d"),
    ],
)  # fmt: skip
def test_text(source: str, expected: str) -> None:
    assert text(source) == expected


def test_whole_value_keeps_its_type_and_a_template_in_a_text_stays_text() -> None:
    source: JsonValue = {"id": "{{agent_id}}", "score": "{{score}}", "uri": "{{file_uri}}", "say": "#{{agent_id}}"}
    assert json(source) == {"id": 42, "score": 59.5, "uri": None, "say": "#42"}


def test_agent_id_beyond_int64_is_found_in_data() -> None:
    event = {**EVENT, "agent_id": None, "data": {"agent_id": str(2**256 - 1)}}
    assert json("{{agent_id}}", {**VALUES, "event": event}) == str(2**256 - 1)


@given(st.text(max_size=50))
def test_value_can_break_out_of_nothing(tag: str) -> None:
    values = with_tag(tag)
    body = orjson.dumps(json({"a": "x {{tag1}}", "b": "{{tag1}}"}, values))
    assert orjson.loads(body) == {"a": f"x {tag}", "b": tag}
    part = text("{{tag1}}", values, url_part)
    assert unquote(part) == tag
    assert not set(part) & set('/?#&=:@ \\"<>')
    assert part not in (".", "..")


def test_what_a_value_contains_is_never_expanded_again() -> None:
    assert text("{{tag1}}", with_tag("{{trigger.name}}")) == "{{trigger.name}}"


def test_result_beyond_the_bound_is_refused_without_being_built() -> None:
    values, source = with_tag("x" * 200_000), "{{tag1}}" * 2000
    began = time.monotonic()
    with pytest.raises(TemplateError, match="larger"):
        text(source, values)
    with pytest.raises(TemplateError, match="larger"):
        json(["{{tag1}}"], values)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("source", ["{{tag1" + " | json" * 8 + "}}", "{{tag1" + " | json" * 7 + " | short}}"])
def test_filters_do_not_double_a_value_again_and_again(source: str) -> None:
    for render in (text, json):
        with pytest.raises(TemplateError, match="filter json is given more"):
            render(source, with_tag('"' * 2_000))


def test_a_large_value_can_be_shortened_through_filters() -> None:
    assert text("{{tag1 | json | short}}", with_tag("x" * 200_000)) == '"xxxxx…xxx"'
