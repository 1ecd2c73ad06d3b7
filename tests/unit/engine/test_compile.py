"""Stateless conditions: each operator on values and on absence, and closures against the plain rules."""

from typing import Any

import pytest
from hypothesis import given

from agentauri.engine.compile import compile_test
from agentauri.engine.reference_fields import passes
from agentauri.models.event import Event
from tests.unit.engine.making import ALICE, BIG_AGENT, BOB, HASH, WORLDS, World, below, event, parsed, score


def holds(condition: dict[str, Any], happened: Event) -> bool:
    test = compile_test(parsed(condition))
    assert test is not None
    assert test(happened) == passes(parsed(condition)[0], happened)
    return test(happened)


def match(name: str, operator: str, value: object = None, **config: object) -> dict[str, Any]:
    return {"condition_type": "field_match", "field": name, "operator": operator, "value": value, "config": config}


@given(WORLDS)
def test_compiled_condition_says_what_the_plain_rules_say(world: World) -> None:
    for _ in range(20):
        holds(world.stateless(), world.event())


OPERATORS = [
    ("score", "=", 5), ("score", "!=", 5), ("score", "<", 5), ("score", "<=", 5), ("score", ">", -5),
    ("score", ">=", -5),
    ("score", "in", [5]), ("score", "not_in", [5]), ("tag1", "=", "a"), ("tag1", "!=", "a"), ("tag1", "in", ["a"]),
    ("tag1", "not_in", ["a"]), ("tag1", "contains", "a"), ("tag1", "starts_with", "a"), ("tag1", "ends_with", "a"),
    ("tag1", "matches", ".*"), ("owner", "!=", ALICE), ("owner", "not_in", [ALICE]), ("approved", "!=", True),
    ("topics", "contains", HASH), ("feedback_uri", "!=", "a"), ("tag1", "exists", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "operator", "value"), OPERATORS)
@pytest.mark.parametrize("data", [{}, "null"])
def test_operator_on_an_absent_field_is_false(name: str, operator: str, value: object, data: object) -> None:
    happened = event(data={name: None} if data == "null" else {})
    assert not holds(match(name, operator, value), happened)
    assert holds(match(name, "not_exists"), happened)


def test_empty_uri_is_absent_and_empty_tag_is_not() -> None:
    happened = event(data={"feedback_uri": "", "tag1": ""})
    assert holds({"condition_type": "file_uri_exists", "field": "file_uri", "operator": "not_exists"}, happened)
    assert holds(match("tag1", "exists"), happened)


def test_group_of_mode_none_negates_what_an_absent_field_gave() -> None:
    parts = [below(60), match("tag1", "!=", "a")]
    assert holds({"condition_type": "group", "config": {"mode": "none", "conditions": parts}}, event())


@pytest.mark.parametrize("value", [True, [], {}, "abc", "", "1_0", " 5", "٥", "nan", "inf", "5" * 200, "1e999"])
def test_score_of_a_wrong_kind_is_absent(value: object) -> None:
    assert holds(match("score", "not_exists"), score(value))


@pytest.mark.parametrize("value", ["59.5", 59.5, "59.50", "5.95e1"])
def test_score_compares_exactly_however_it_was_stored(value: object) -> None:
    assert holds(below(60), score(value))
    assert holds(below("59.5", "="), score(value))
    assert not holds(below("59.4999999999999999999", "<="), score(value))


def test_json_number_beyond_a_double_keeps_its_digits() -> None:
    happened = event()
    happened.data_json = b'{"score": 170141183460469231731687303715884105727, "response": 0.1000000000000000000001}'
    assert holds(below(str(2**127 - 1), "="), happened)
    assert holds(match("response", ">", "0.1"), happened)


@pytest.mark.parametrize(
    "data", [b'{"score": 1e400, "tag1": "a"}', b'{"tag1": "a", "x": ' + b"[" * 2000 + b"]" * 2000 + b"}"]
)
def test_p04_data_that_is_hard_to_read_is_no_error(data: bytes) -> None:
    happened = event()
    happened.data_json = data
    test = compile_test(parsed(below(60), match("tag1", "=", "a")))
    assert test is not None
    assert not test(happened)


def test_int128_compares_at_full_size() -> None:
    happened = event(data={"value": str(-(2**127))})
    assert holds(match("value", "<", str(-(2**127) + 1)), happened)
    assert not holds(match("value", "<", str(-(2**127))), happened)


def test_agent_id_beyond_int64_is_read_from_data() -> None:
    happened = event(agent_id=None, data={"agent_id": str(BIG_AGENT)})
    assert holds({"condition_type": "agent_id_equals", "operator": "=", "value": str(BIG_AGENT)}, happened)
    assert not holds({"condition_type": "agent_id_equals", "operator": "=", "value": str(BIG_AGENT - 1)}, happened)


def test_event_without_agent_is_not_of_agent_zero() -> None:
    assert not holds({"condition_type": "agent_id_equals", "operator": "=", "value": 0}, event(agent_id=None))
    assert holds({"condition_type": "agent_id_equals", "operator": "=", "value": 0}, event(agent_id=0))


def test_addresses_and_hashes_compare_without_case() -> None:
    happened = event(data={"validator_address": ALICE.lower(), "feedback_hash": HASH.upper().replace("X", "x")})
    listed = {"condition_type": "validator_whitelist", "operator": "in", "value": [BOB, ALICE]}
    assert holds(listed, happened)
    assert holds(match("file_hash", "=", HASH), happened)
    assert holds(match("validator_address", "starts_with", ALICE[:10].upper().replace("X", "x")), happened)


def test_tag_compares_with_case_unless_told_otherwise() -> None:
    happened = event(data={"tag1": "Straße"})
    tag = {"condition_type": "tag_equals", "field": "tag1", "operator": "=", "value": "STRASSE"}
    assert not holds(tag, happened)
    assert holds(tag | {"config": {"ignore_case": True}}, happened)
    assert holds(tag | {"operator": "matches", "value": "^str", "config": {"ignore_case": True}}, happened)


def test_pattern_that_blows_up_elsewhere_is_linear() -> None:
    happened = event(data={"tag1": "a" * 50_000})
    assert not holds(match("tag1", "matches", "^(a+)+$b"), happened)


def test_alias_reads_the_field_that_it_stands_for() -> None:
    assert holds(match("token_uri", "=", "ipfs://a"), event(data={"agent_uri": "ipfs://a"}))
    assert holds(match("timestamp", ">=", "2023-11-14T22:13:20Z"), event())


def test_topics_contain_a_hash() -> None:
    happened = event(event_type="Unknown", data={"topics": [HASH.lower(), 5]})
    assert holds(match("topics", "contains", HASH), happened)
    assert not holds(match("topics", "contains", "0x" + "11" * 32), happened)
