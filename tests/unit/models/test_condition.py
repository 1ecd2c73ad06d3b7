"""Conditions: what is accepted, what is refused and where, and that the stored form is exact."""

import json
import re
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.errors import InvalidRequest
from agentauri.models.condition import Condition, ConditionType
from agentauri.models.condition_parsing import load_conditions, parse_conditions
from agentauri.models.operators import SYNONYMS, Operator

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def one(**members: object) -> Condition:
    (condition,) = parse_conditions([members])
    return condition


def problems(*conditions: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_conditions(list(conditions))
    return dict(caught.value.problems)


def score(operator: object = "<", value: object = 60) -> dict[str, object]:
    return {"condition_type": "score_threshold", "field": "score", "operator": operator, "value": value}


def group(*conditions: object, mode: str = "any") -> dict[str, object]:
    return {"condition_type": "group", "config": {"mode": mode, "conditions": list(conditions)}}


@pytest.mark.parametrize(
    ("written", "operator"),
    [
        ("==", Operator.EQ), ("equals", Operator.EQ), ("<>", Operator.NE), ("NE", Operator.NE), ("lt", Operator.LT),
        ("lte", Operator.LTE), ("GT", Operator.GT), ("gte", Operator.GTE),
    ],
)  # fmt: skip
def test_synonym_of_an_operator_is_stored_by_its_canonical_name(written: str, operator: Operator) -> None:
    assert one(**score(written)).operator is operator


@pytest.mark.parametrize(("written", "operator"), [("NOT IN", Operator.NOT_IN), ("IN", Operator.IN)])
def test_operator_in_capitals_with_blanks_is_known(written: str, operator: Operator) -> None:
    condition = one(condition_type="validator_whitelist", operator=written, value=[ADDRESS])
    assert condition.operator is operator


@pytest.mark.parametrize("written", ["IS NOT NULL", "exists"])
def test_file_uri_exists_ignores_its_value(written: str) -> None:
    condition = one(condition_type="file_uri_exists", field="file_uri", operator=written, value="")
    assert condition.wire()["operator"] == "exists"
    assert condition.wire()["value"] is None


def test_rate_limit_ignores_its_field() -> None:
    config = {"time_window": "1h"}
    condition = one(condition_type="rate_limit", field="anything", operator=">", value="10", config=config)
    assert condition.wire()["field"] is None
    assert condition.value == 10


@pytest.mark.parametrize(
    ("sent", "stored", "answered"),
    [
        ("59.5", Decimal("59.5"), 59.5), (59.5, Decimal("59.5"), 59.5), ("60.0", 60, 60), (60, 60, 60),
        ("-0.10", Decimal("-0.1"), -0.1), ("1e2", 100, 100), (str(2**127 - 1), 2**127 - 1, str(2**127 - 1)),
        ("0.1234567890123456789", Decimal("0.1234567890123456789"), "0.1234567890123456789"),
    ],
)  # fmt: skip
def test_number_is_kept_exactly_however_it_was_sent(sent: object, stored: object, answered: object) -> None:
    condition = one(**score(value=sent))
    assert condition.value == stored
    assert condition.wire()["value"] == answered


@pytest.mark.parametrize("value", ["", "abc", "1_0", "٣", "nan", "inf", "1e999", True, None, [1], 1e300, "9" * 200])
def test_value_that_is_no_bearable_number_is_refused(value: object) -> None:
    assert list(problems(score(value=value))) == ["/conditions/0/value"]


def test_agent_id_of_2_to_256_minus_1_is_stored_as_text() -> None:
    condition = one(condition_type="agent_id_equals", operator="=", value=str(2**256 - 1))
    assert condition.value == 2**256 - 1
    assert condition.wire()["value"] == str(2**256 - 1)


@pytest.mark.parametrize("value", [-1, 2**256, "1.5", "0x2a", ""])
def test_agent_id_out_of_range_is_refused(value: object) -> None:
    assert "/conditions/0/value" in problems({"condition_type": "agent_id_equals", "operator": "=", "value": value})


def test_old_event_name_is_taken_for_the_new_one() -> None:
    assert one(condition_type="event_type_equals", operator="=", value="AgentRegistered").value == "Registered"


def test_list_may_be_json_text() -> None:
    assert one(condition_type="agent_id_equals", operator="in", value='["1", 2]').value == (1, 2)


def test_entry_of_a_list_is_refused_at_its_own_place() -> None:
    found = problems({"condition_type": "validator_whitelist", "operator": "in", "value": [ADDRESS, "0x12"]})
    assert list(found) == ["/conditions/0/value/1"]


@pytest.mark.parametrize("value", [[], list(range(1001)), "a, b", {"a": 1}, 5])
def test_list_that_is_none_or_too_long_is_refused(value: object) -> None:
    found = problems({"condition_type": "agent_id_equals", "operator": "in", "value": value})
    assert list(found) == ["/conditions/0/value"]


def test_response_above_100_is_refused() -> None:
    assert problems({"condition_type": "response_threshold", "operator": "<", "value": 101})


@pytest.mark.parametrize("value", ["a" * 1025, "nul\0", "half \ud800"])
def test_text_that_cannot_be_stored_is_refused(value: str) -> None:
    assert problems({"condition_type": "tag_equals", "field": "tag1", "operator": "=", "value": value})


@pytest.mark.parametrize("pattern", ["(", "a" * 513, r"(a)\1", "(?:a{1000}){1000}"])
def test_pattern_that_re2_refuses_is_refused(pattern: str) -> None:
    assert problems({"condition_type": "tag_equals", "field": "tag1", "operator": "matches", "value": pattern})


def test_operator_that_does_not_fit_the_kind_of_field_is_refused() -> None:
    found = problems({"condition_type": "field_match", "field": "owner", "operator": "<", "value": ADDRESS})
    assert "contains" in found["/conditions/0/operator"]


def test_time_is_accepted_as_rfc3339_and_answered_so() -> None:
    condition = one(condition_type="field_match", field="timestamp", operator=">=", value="2026-01-31T12:00:00+01:00")
    assert condition.value == 1769857200
    assert condition.wire()["value"] == "2026-01-31T11:00:00Z"


@pytest.mark.parametrize("value", ["2026-01-31T12:00:00", "soon", "0001-01-01T00:00:00+14:00", -1])
def test_time_without_zone_or_sense_is_refused(value: object) -> None:
    assert problems({"condition_type": "field_match", "field": "timestamp", "operator": ">=", "value": value})


def test_unknown_member_type_and_field_are_named() -> None:
    found = problems(
        {"condition_type": "wish"},
        score() | {"feild": 1},
        score() | {"field": "scores"},
        {
            "condition_type": "tag_equals",
            "field": "tag1",
            "operator": "=",
            "value": "a",
            "config": {"ignorecase": True},
        },
        7,
    )
    assert list(found) == [
        "/conditions/0/condition_type", "/conditions/1/feild", "/conditions/2/field",
        "/conditions/3/config/ignorecase", "/conditions/4",
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [None, {}, "[]", 5])
def test_conditions_that_are_no_list_are_refused(raw: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_conditions(raw)


def test_four_levels_of_groups_are_accepted_and_five_refused() -> None:
    four = group(group(group(group(score()))))
    assert parse_conditions([four])
    assert list(problems(group(four))) == ["/conditions/0" + "/config/conditions/0" * 4 + "/config"]


def test_stateful_condition_in_a_group_is_refused() -> None:
    ema = {"condition_type": "ema_threshold", "operator": "<", "value": 1, "config": {"window_size": 3}}
    assert list(problems(group(ema))) == ["/conditions/0/config/conditions/0/condition_type"]


def test_empty_group_is_refused() -> None:
    assert list(problems(group())) == ["/conditions/0/config/conditions"]


def test_more_than_fifty_conditions_are_refused_groups_included() -> None:
    assert parse_conditions([score()] * 50)
    assert list(problems(*[score()] * 51)) == ["/conditions"]
    assert list(problems(group(*[score()] * 30), group(*[score()] * 30))) == ["/conditions"]


def test_same_id_twice_is_refused() -> None:
    twice = score() | {"id": str(uuid4())}
    assert list(problems(twice, twice)) == ["/conditions"]


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({}, "window_size"), ({"alpha": 0}, "alpha"), ({"alpha": 1.1}, "alpha"), ({"window_size": 0}, "window_size"),
        ({"window_size": 3, "min_samples": 0}, "min_samples"), ({"window_size": 3, "group_by": "score"}, "group_by"),
        ({"window_size": 3, "group_by": []}, "group_by"), ({"window_size": 3, "group_by": ["tag", "tag"]}, "group_by"),
        ({"window_size": 3, "group_by": ["tag", "tag1", "tag2", "agent_id"]}, "group_by"),
        ({"window_size": 3, "group_by": ["none"]}, "group_by"),
    ],
)  # fmt: skip
def test_ema_config_that_does_not_fit_is_refused_at_its_member(config: object, place: str) -> None:
    found = problems({"condition_type": "ema_threshold", "operator": "<", "value": 70, "config": config})
    assert list(found) == [f"/conditions/0/config/{place}"]


@pytest.mark.parametrize("window", [None, "", "1", "0s", "1w", "400d", 60, "1 h", "-1h"])
def test_time_window_that_is_no_length_is_refused(window: object) -> None:
    config = {"time_window": window}
    found = problems({"condition_type": "rate_limit", "operator": ">", "value": 1, "config": config})
    assert list(found) == ["/conditions/0/config/time_window"]


def aggregate(field: object = "score", **config: object) -> dict[str, object]:
    return {"condition_type": "window_aggregate", "field": field, "operator": ">", "value": "1.5", "config": config}


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        (aggregate(last_n=5), ["config/function"]),
        (aggregate(function="median", last_n=5), ["config/function"]),
        (aggregate(function="sum"), ["config/time_window"]),
        (aggregate(function="sum", last_n=5, time_window="1h"), ["config/last_n"]),
        (aggregate(function="sum", last_n=1001), ["config/last_n"]),
        (aggregate(function="sum", last_n=5, min_samples=6), ["config/min_samples"]),
        (aggregate(function="avg", time_window="1h", min_samples=1001), ["config/min_samples"]),
        (aggregate("tag1", function="sum", last_n=5), ["field"]),
        (aggregate(None, function="distinct", last_n=5), ["field"]),
        (aggregate("nonsense", function="count", last_n=5), ["field"]),
        ({"condition_type": "change", "field": "tag1", "operator": ">", "value": 1}, ["field"]),
        ({"condition_type": "change", "operator": ">", "value": 1}, ["field"]),
        ({"condition_type": "change", "field": "score", "operator": "in", "value": 1}, ["operator"]),
        ({"condition_type": "change", "field": "score", "operator": ">", "value": 1, "config": {"mode": "ratio"}},
         ["config/mode"]),
        ({"condition_type": "ema_threshold", "operator": "crosses_above", "value": 1, "config": {"alpha": 1}},
         ["operator"]),
        ({"condition_type": "absence"}, ["config/time_window"]),
        ({"condition_type": "absence", "config": {"time_window": "1h", "last_n": 3}}, ["config/last_n"]),
    ],
)  # fmt: skip
def test_stateful_condition_that_does_not_fit_is_refused_at_its_place(
    condition: dict[str, object], places: list[str]
) -> None:
    assert list(problems(condition)) == [f"/conditions/0/{place}" for place in places]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("score <", "line 1, column 8"), ("scores < 5", "undeclared reference to 'scores'"),
        ("tag1 + 1 == 2", "line 1, column 6"), ("value > 5", "line 1, column 7"), ("score", "true or false, not dyn"),
        ("1 + 1", "true or false, not int"), ("  ", "empty"), ("score < 1 || " * 90 + "true", "1024"),
        ("[1].map(x, x).size() > 0", "undeclared"), ("[1].filter(x, x > 1).size() > 0", "undeclared"),
        ("[1].all(x, [2].exists(y, x == y))", "at most one"), ("[1].all(x, [2].exists // (\n(y, x == y))", "at most"),
        ("(" * 40 + "true" + ")" * 40, "recursion"), ("dyn(1) == 1", "undeclared"),
        ("[tag1].exists(x, x + x == '')", "must not have +"), ("score * 1.5 < 60", "60.0 instead of 60"),
    ],
)  # fmt: skip
def test_expression_that_is_not_one_is_refused_with_its_place(text: str, detail: str) -> None:
    found = problems({"condition_type": "expression", "value": text})
    assert list(found) == ["/conditions/0/value"]
    assert detail in found["/conditions/0/value"]


def test_expression_ignores_field_and_operator() -> None:
    condition = one(condition_type="expression", field="score", operator="<", value="score < 60")
    wire = condition.wire()
    assert (wire["field"], wire["operator"], wire["value"]) == (None, None, "score < 60")


def test_absence_ignores_field_operator_and_value() -> None:
    config = {"time_window": "1h"}
    wire = one(condition_type="absence", field="score", operator="<", value=5, config=config).wire()
    assert (wire["field"], wire["operator"], wire["value"], wire["config"]) == (None, None, None, config)


@pytest.mark.parametrize(
    "condition",
    [
        {
            "condition_type": "field_match",
            "field": "timestamp",
            "operator": "in",
            "value": ["2026-01-31T12:00:00Z", 1.5],
        },
        {"condition_type": "field_match", "field": "approved", "operator": "=", "value": "true"},
        {"condition_type": "field_match", "field": "topics", "operator": "contains", "value": "0x" + "ab" * 32},
        {"condition_type": "validator_whitelist", "operator": "not in", "value": [ADDRESS]},
        {"condition_type": "tag_equals", "field": "tag", "operator": "ends_with", "value": "5"},
        {"condition_type": "agent_id_equals", "operator": "in", "value": [0, str(2**256 - 1)]},
        {"condition_type": "file_uri_exists", "field": "token_uri", "operator": "is null"},
        {
            "condition_type": "ema_threshold",
            "operator": "<",
            "value": "0.1",
            "config": {"alpha": 1, "group_by": "none"},
        },
        {
            "condition_type": "rate_limit",
            "operator": "<",
            "value": 0,
            "config": {"time_window": "7d", "group_by": ["tag"]},
        },
        group(group(score(), mode="none"), mode="all"),
        group({"condition_type": "expression", "value": "topics.exists(t, t == tag1) && score < 6"}),
        aggregate("timestamp", function="distinct", time_window="7d", min_samples=2),
        aggregate("tag1", function="count", last_n=5),
        aggregate(None, function="count", time_window="1h", group_by=["tag", "chain_id"]),
        {"condition_type": "change", "field": "score", "operator": "crosses above", "value": "-0.5"},
        {"condition_type": "change", "field": "agent_id", "operator": "<", "value": 3, "config": {"mode": "percent"}},
        {"condition_type": "absence", "config": {"time_window": "1h", "group_by": "none"}},
    ],
)
def test_stored_form_loads_to_an_equal_condition(condition: dict[str, object]) -> None:
    conditions = parse_conditions([condition])
    stored = orjson.loads(orjson.dumps([one.wire() for one in conditions]))
    assert load_conditions(stored) == parse_conditions(stored) == conditions


def test_config_is_answered_as_it_was_sent() -> None:
    config = {"window_size": 10, "alpha": 0.2, "group_by": ["tag1", "agent_id"]}
    condition = one(condition_type="ema_threshold", field="score", operator="<", value="70", config=config)
    assert condition.wire()["config"] == config
    assert condition.group_by == ("agent_id", "tag1")


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=18)


@given(NUMBERS | st.integers(-(2**127), 2**127))
def test_number_is_equal_after_store_and_load(number: object) -> None:
    condition = one(**score(value=str(number)))
    stored = orjson.loads(orjson.dumps([condition.wire()]))
    assert parse_conditions(stored) == load_conditions(stored) == (condition,)
    assert condition.value == number


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(sorted(SYNONYMS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"condition_type": st.sampled_from(sorted(ConditionType)) | JSON},
            optional={
                "id": JSON,
                "field": st.sampled_from(["score", "tag1", "owner", "topics", "agent_id"]) | JSON,
                "operator": JSON,
                "value": JSON,
                "config": JSON,
            },
        ),
        max_size=3,
    )
)
def test_any_json_is_either_refused_with_places_or_stored_exactly(raw: list[object]) -> None:
    refused: tuple[tuple[str, str], ...] = ()
    conditions: tuple[Condition, ...] = ()
    try:
        conditions = parse_conditions(raw)
    except InvalidRequest as error:
        refused = error.problems
    assert all(pointer.startswith("/conditions") and detail for pointer, detail in refused)
    if not refused:
        stored = orjson.loads(orjson.dumps([condition.wire() for condition in conditions]))
        assert parse_conditions(stored) == load_conditions(stored) == conditions


def test_every_example_for_users_is_taken() -> None:
    page = (Path(__file__).parents[3] / "docs" / "conditions.md").read_text()
    decoder, count = json.JSONDecoder(), 0
    for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL):
        rest = block.strip()
        while rest:
            condition, end = decoder.raw_decode(rest)
            parse_conditions([condition])
            rest, count = rest[end:].strip(), count + 1
    assert count >= 9
