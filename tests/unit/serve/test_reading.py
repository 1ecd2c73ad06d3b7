"""Bodies are read strictly: what is accepted can be stored, and numbers stay exact."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.errors import InvalidRequest
from agentauri.serve.reading import MAX_CONTAINERS, MAX_DEPTH, is_storable, parse_body

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON)
def test_json_comes_back_as_it_is_unless_it_cannot_be_stored(value: object) -> None:
    text = json.dumps(value)
    storable = "\\u0000" not in text and is_storable(json.dumps(value, ensure_ascii=False))
    try:
        assert parse_body(text.encode()) == value
    except InvalidRequest:
        assert not storable


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_json_or_an_invalid_request(raw: bytes) -> None:
    try:
        value = parse_body(raw)
    except InvalidRequest:
        return
    assert parse_body(json.dumps(value).encode()) == value


@pytest.mark.parametrize(("depth", "fits"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (100_000, False)])
def test_depth_is_bounded(depth: int, fits: bool) -> None:
    raw = b"[" * depth + b"]" * depth
    if fits:
        parse_body(raw)
    else:
        with pytest.raises(InvalidRequest, match="nested"):
            parse_body(raw)


def test_the_number_of_lists_and_objects_is_bounded_and_brackets_in_strings_do_not_count() -> None:
    parse_body(b"[" + b"{}," * (MAX_CONTAINERS - 2) + b'[], "' + b"[{" * MAX_CONTAINERS + b'"]')
    with pytest.raises(InvalidRequest, match="lists and objects"):
        parse_body(b"[" + b"{}," * (MAX_CONTAINERS - 1) + b"[]]")


def test_depth_is_bounded_whatever_the_recursion_limit_is() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)  # as a library may
    try:
        for opening in (b"[", b'{"a":', b'["]",', b'["\\"",'):
            with pytest.raises(InvalidRequest, match="nested"):
                parse_body(opening * 100_000)
    finally:
        sys.setrecursionlimit(limit)


def test_brackets_in_strings_do_not_nest() -> None:
    text = '[{"\\" ' * 100
    assert parse_body(json.dumps([text, {text: text}]).encode()) == [text, {text: text}]


@given(value=JSON)
def test_depth_is_counted_as_the_parser_sees_it(value: object) -> None:
    levels = MAX_DEPTH - _depth(value)
    raw = json.dumps(value).replace("\\u", "u").encode()
    parse_body(b"[" * levels + raw + b"]" * levels)
    with pytest.raises(InvalidRequest, match="nested"):
        parse_body(b"[" * (MAX_DEPTH + 1) + raw + b"]" * (MAX_DEPTH + 1))


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def test_bad_text_is_named_by_its_place() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_body(b'{"a": [1, {"b/c": "x\\u0000"}]}')
    assert caught.value.problems[0][0] == "/a/1/b~1c"


def test_whole_numbers_of_any_size_stay_exact() -> None:
    assert parse_body(str(2**256 - 1).encode()) == 2**256 - 1


@pytest.mark.parametrize("raw", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "\\u0061": 2}}]'])
def test_a_name_that_stands_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        parse_body(raw)
