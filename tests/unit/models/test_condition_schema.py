"""The schema of conditions says what the checks say: what fits it is taken, what breaks it is refused."""

from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with ray, without types
import jsonschema_rs
import pytest

from agentauri.errors import InvalidRequest
from agentauri.models.condition import ConditionType
from agentauri.models.condition_parsing import parse_conditions
from agentauri.models.condition_rules import RULES
from agentauri.models.condition_schema import CONFIGS, condition_schemas
from agentauri.models.problems import Problems
from agentauri.models.stateful_config import Function
from agentauri.models.template_names import is_known, names

ADDRESS, HASH = "0x" + "aB" * 20, "0x" + "cD" * 32
CANDIDATES: list[Any] = [
    0, 1, 55, 100, 101, -1, 59.5, 2**53 - 1, "42", "59.5", "-3", "", "x", "[", "NewFeedback", "AgentRegistered", "0x",
    "0xab", "0xa", ADDRESS, HASH, True, False, None, "2026-01-01T00:00:00Z", "2026-01-01", [], {}, [1], ["42", 7],
    ["x"], [ADDRESS], [HASH], [True], ["2026-01-01T00:00:00Z"], ["NewFeedback"], [[1]], [None], "a" * 1024, "a" * 1025,
    "1" * 77, "9" * 78, "true",
]  # fmt: skip
CONFIGURATIONS: dict[ConditionType, dict[str, Any]] = {
    ConditionType.EMA_THRESHOLD: {"window_size": 3},
    ConditionType.RATE_LIMIT: {"time_window": "5m"},
    ConditionType.WINDOW_AGGREGATE: {"function": "count", "last_n": 5},
    ConditionType.ABSENCE: {"time_window": "5m"},
}


@cache
def validator_of(kind: ConditionType) -> Any:
    return jsonschema_rs.Draft202012Validator(condition_schemas()[kind])


def fits(kind: ConditionType, condition: dict[str, Any]) -> bool:
    return bool(validator_of(kind).is_valid(condition))


def is_taken(condition: dict[str, Any]) -> bool:
    try:
        parse_conditions([condition])
    except InvalidRequest:
        return False
    return True


def branches(kind: ConditionType) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = condition_schemas()[kind]["anyOf"]
    return found


@pytest.mark.parametrize("kind", list(RULES))
def test_what_fits_is_taken_for_every_field_operator_and_value(kind: ConditionType) -> None:
    fitting = 0
    for branch in branches(kind):
        for operator in branch["properties"].get("operator", {"enum": [None]})["enum"]:
            for field in (branch["properties"].get("field") or {}).get("enum", [None])[:3]:
                for value in CANDIDATES:
                    condition = {"condition_type": kind.value, "operator": operator, "value": value}
                    condition |= {} if field is None else {"field": field}
                    condition |= {"config": CONFIGURATIONS[kind]} if kind in CONFIGURATIONS else {}
                    taken, fit = is_taken(condition), fits(kind, condition)
                    if (
                        fit
                        and not taken
                        and (kind is ConditionType.EXPRESSION or (operator, value) == ("matches", "["))
                    ):
                        continue  # no schema says which patterns and expressions compile
                    assert taken or not fit, condition
                    assert fit or not taken or isinstance(value, str), condition  # text is taken for lists too
                    fitting += fit
    assert fitting


@pytest.mark.parametrize("function", list(Function))
@pytest.mark.parametrize("field", ["score", "tag1", "topics", "agent_id", "timestamp", None])
@pytest.mark.parametrize("window", [{"last_n": 5}, {"time_window": "1h"}, {}, {"last_n": 5, "time_window": "1h"}])
def test_aggregate_fits_where_it_is_taken(function: Function, field: str | None, window: dict[str, Any]) -> None:
    condition: dict[str, Any] = {"condition_type": "window_aggregate", "operator": ">", "value": 1}
    condition |= {"config": {"function": function.value} | window}
    condition |= {} if field is None else {"field": field}
    assert fits(ConditionType.WINDOW_AGGREGATE, condition) == is_taken(condition)


def test_every_type_has_a_schema_that_is_one() -> None:
    assert set(condition_schemas()) == set(ConditionType)
    for schema in condition_schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("parser", [rule.config for rule in RULES.values()])
def test_options_of_a_type_are_those_that_its_parser_knows(parser: Any) -> None:
    for name in CONFIGS[parser]["properties"]:
        problems = Problems()
        problems_of_unknown = Problems()
        parser({name: None}, "", problems)
        parser({name: None, "unknown": 1}, "", problems_of_unknown)
        assert len(problems_of_unknown) == len(problems) + 1
    listed = Problems()
    parser({"unknown": 1}, "", listed)
    with pytest.raises(InvalidRequest) as error:
        listed.refuse("x")
    detail = next(detail for pointer, detail in error.value.problems if pointer == "/unknown")
    known = ", ".join(CONFIGS[parser]["properties"]) or "none"
    assert detail == f"unknown; known are {known}."


@pytest.mark.parametrize("missing", ["condition_type", "operator", "value"])
def test_what_is_needed_is_required(missing: str) -> None:
    condition = {"condition_type": "score_threshold", "operator": "<", "value": 60}
    assert fits(ConditionType.SCORE_THRESHOLD, condition)
    del condition[missing]
    assert not fits(ConditionType.SCORE_THRESHOLD, condition)
    assert not is_taken(condition)


def test_group_of_stateless_conditions_fits_and_of_stateful_ones_does_not() -> None:
    part = {"condition_type": "score_threshold", "operator": "<", "value": 60}
    rate = {"condition_type": "rate_limit", "operator": ">", "value": 3, "config": {"time_window": "5m"}}
    for parts, good in [([part], True), ([rate], False), ([], False)]:
        group = {"condition_type": "group", "config": {"mode": "any", "conditions": parts}}
        assert fits(ConditionType.GROUP, group) == is_taken(group) == good


def test_every_name_that_is_listed_is_known_to_templates() -> None:
    for name in names():
        assert is_known(tuple(name.replace("<n>", "0").split("."))), name
