"""What templates may be written, and how a mistake in one is named."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.errors import TemplateError
from agentauri.models.template import Filter, FilterName, Placeholder, Text, parse_json, parse_text
from agentauri.models.template_names import is_known


def test_text_is_split_into_literals_and_placeholders() -> None:
    parsed = parse_text('Agent #{{ agent_id }} by {{client_address | short | default: "a \\"b\\""}}.', is_known)
    filters = (Filter(FilterName.SHORT), Filter(FilterName.DEFAULT, 'a "b"'))
    assert parsed.parts == (
        "Agent #", Placeholder(("agent_id",)), " by ", Placeholder(("client_address",), filters), ".",
    )  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "{{agent_id", "{{}}", "{{ }}", "{{a b}}", "{{nonsense}}", "{{trigger.secret}}", "{{computed.x.ema}}",
        "{{computed.0.nonsense}}", "{{agent_id | nonsense}}", "{{agent_id | default}}", '{{agent_id | upper:"x"}}',
        "{{agent_id upper}}", "{{agent_id | default:x}}", '{{timestamp | date:"%999Y"}}', '{{timestamp | date:"%"}}',
        "{{{agent_id}}}", "{{__class__}}", "{{event.__class__}}", "{{agent_id.__class__}}", "x" * 16385,
    ],
)  # fmt: skip
def test_template_that_could_not_be_rendered_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        parse_text(source, is_known)


@pytest.mark.parametrize(
    "name",
    [
        "agent_id", "score", "file_uri", "feedback_uri", "token_uri", "timestamp", "block_timestamp", "event.agent_id",
        "event.data.score", "data.score", "event.data.agent_id", "trigger.name", "delivery.id", "ema_score", "count",
        "computed.12.previous", "tag1_hex",
    ],
)  # fmt: skip
def test_known_names(name: str) -> None:
    parse_text(f"{{{{{name}}}}}", is_known)


def test_json_templates_keep_structure_and_refuse_templates_in_keys() -> None:
    parsed = parse_json({"a": ["{{agent_id}}", 1, None, True, 1.5]}, is_known)
    assert parsed == {"a": [Text((Placeholder(("agent_id",)),)), 1, None, True, 1.5]}
    with pytest.raises(TemplateError):
        parse_json({"{{agent_id}}": 1}, is_known)


def test_json_nested_too_deeply_is_refused() -> None:
    deep: list[object] = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(TemplateError):
        parse_json(deep, is_known)  # type: ignore[arg-type]  # nested lists of nothing are JSON


@given(st.text(max_size=200))
def test_any_text_parses_or_is_refused_with_a_sentence(source: str) -> None:
    try:
        parsed = parse_text(source, is_known)
    except TemplateError:
        assert "{{" in source
    else:
        assert "{{" in source or "".join(map(str, parsed.parts)) == source


@pytest.mark.parametrize("source", ["{{" * 8000, "{{agent_id" + " " * 16000, "}}{{" * 4000, "{{agent_id}} {{" * 1000])
def test_openings_without_an_end_are_found_at_once(source: str) -> None:
    began = time.process_time()
    with pytest.raises(TemplateError, match=r"not closed|does not name a value"):
        parse_text(source, is_known)
    assert time.process_time() - began < 0.5


def test_value_passes_through_a_few_filters_and_not_through_forty() -> None:
    assert len(parse_text("{{agent_id" + " | json" * 8 + "}}", is_known).parts) == 1
    with pytest.raises(TemplateError, match="more than 8 filters"):
        parse_text("{{agent_id" + " | json" * 40 + "}}", is_known)
