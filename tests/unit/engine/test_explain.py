"""Explanations say what the evaluation does, condition by condition."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.explain import Explanation, Result, explain
from agentauri.models.trigger import TriggerDefinition, validate_trigger
from tests.unit.engine.making import START, event

LOW = {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 60}
EMA = {"condition_type": "ema_threshold", "field": "score", "operator": "<", "value": 70, "config": {"alpha": 0.5}}
RATE = {"condition_type": "rate_limit", "operator": ">", "value": 1, "config": {"time_window": "1h"}}


def definition(*conditions: dict[str, Any], **fields: Any) -> TriggerDefinition:
    checked = validate_trigger({"name": "t", "conditions": list(conditions), **fields})
    return TriggerDefinition.of(UUID(int=7), uuid4(), checked, [])


def scored(score: int, seq: int = 1, **more: Any) -> Any:
    return event(seq, data={"score": str(score)}, **more)


def after(made: TriggerDefinition, *scores: int) -> dict[str, Any]:
    """The state after feedback with these scores."""
    evaluator = PartitionEvaluator()
    evaluator.apply_version(made.id, 0, made.to_json())
    for seq, score in enumerate(scores, 1):
        evaluator.evaluate(scored(score, seq))
    return evaluator.dump_partition(0)


def holds(explanation: Explanation) -> list[bool | None]:
    return [one.holds for one in explanation.conditions]


def test_stateless_conditions_say_what_they_saw() -> None:
    group = {"condition_type": "group", "config": {"mode": "none", "conditions": [LOW]}}
    explained = explain(definition(LOW, group), scored(50), None)
    assert explained.result is Result.NOT_FIRED
    assert explained.reason == "Condition 1 did not hold."
    assert holds(explained) == [True, False]
    assert explained.conditions[0].actual == 50
    assert explained.conditions[1].parts[0].holds is True


def test_event_of_another_registry_is_not_meant() -> None:
    explained = explain(definition(LOW, registry="identity"), scored(50), None)
    assert (explained.result, "registry" in explained.reason) == (Result.NOT_FIRED, True)


@pytest.mark.parametrize(("score", "expected", "result"), [(40, 60.0, Result.FIRED), (100, 90.0, Result.NOT_FIRED)])
def test_stateful_condition_tells_its_value_whether_it_holds_or_not(
    score: int, expected: float, result: Result
) -> None:
    made = definition(EMA)
    explained = explain(made, scored(score, 9), after(made, 80))
    (one,) = explained.conditions
    assert explained.result is result
    assert (one.holds, one.computed) == (result is Result.FIRED, {"ema": expected})
    assert (one.before, one.after) == ([80.0, 1], [expected, 2])
    assert explained.group == "42"


def test_two_conditions_of_the_same_kind_are_told_apart() -> None:
    made = definition(LOW, EMA, EMA | {"value": 10}, RATE)
    explained = explain(made, scored(40, 9), after(made, 20))
    assert holds(explained) == [True, True, False, True]
    assert [one.computed for one in explained.conditions[1:]] == [{"ema": 30.0}, {"ema": 30.0}, {"count": 2}]
    assert explained.reason == "Condition 2 did not hold."


def test_event_that_the_filter_stops_leaves_state_alone() -> None:
    made = definition(LOW, EMA)
    explained = explain(made, scored(90, 9), after(made, 20))
    assert holds(explained) == [False, None]
    assert explained.conditions[1].before == explained.conditions[1].after == [20.0, 1]


def test_unknown_state_is_unknown_only_where_it_matters() -> None:
    made = definition(LOW, EMA)
    assert explain(made, scored(20), None).result is Result.UNKNOWN
    assert explain(made, scored(90), None).result is Result.NOT_FIRED


def test_cool_down_and_on_change_show_their_memories() -> None:
    made = definition(EMA, cooldown_seconds=100)
    silenced = explain(made, scored(20, 9), after(made, 20))
    assert silenced.result is Result.COOLED_DOWN
    assert silenced.cooldown is not None
    assert silenced.cooldown.before == silenced.cooldown.after is not None
    made = definition(EMA, fire="on_change")
    again = explain(made, scored(20, 9), after(made, 20))
    assert (again.result, again.reason.startswith("Every condition held, as")) == (Result.NOT_FIRED, True)
    assert again.on_change is not None
    assert again.on_change.before is not None


def test_event_without_the_field_or_the_group_says_so() -> None:
    made = definition(EMA)
    without = explain(made, event(9, data={"score": None}), {})
    assert (holds(without), without.reason) == ([None], "The event lacks the field of a stateful condition.")
    groupless = explain(made, event(9, agent_id=None, data={"score": "50"}), {})
    assert groupless.reason == "The event lacks a field that the trigger's state is grouped by."


def test_event_begins_the_wait_of_an_absence_anew_and_fires_nothing() -> None:
    made = definition({"condition_type": "absence", "config": {"time_window": "1h"}})
    first = explain(made, scored(50), {})
    assert (first.result, first.reason.startswith("An absence")) == (Result.NOT_FIRED, True)
    late = explain(made, scored(50, 2, time=7200), after(made, 50))
    assert late.result is Result.NOT_FIRED
    assert late.conditions[0].before is not None
    assert late.conditions[0].before != late.conditions[0].after


def test_absence_shows_the_cool_down_of_its_chain() -> None:
    made = definition({"condition_type": "absence", "config": {"time_window": "1m"}}, cooldown_seconds=3600)
    evaluator = PartitionEvaluator()
    evaluator.apply_version(made.id, 0, made.to_json())
    evaluator.evaluate(scored(50))
    evaluator.tick(84532, START + 100, [0])
    explained = explain(made, scored(50, 2, time=200), evaluator.dump_partition(0))
    assert explained.cooldown is not None
    assert explained.cooldown.before == explained.cooldown.after == START + 60


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("response < 60", "the event has no response."), ("score * 2 > 60", "No matching overloads found"),
        ("1 / int(score - 50.0) > 0", "divide by zero."), ("score < 60 || response < 60", None), ("score > 60", None),
    ],
)  # fmt: skip
def test_expression_that_comes_to_an_error_says_which(text: str, error: str | None) -> None:
    (one,) = explain(definition({"condition_type": "expression", "value": text}), scored(50), None).conditions
    assert one.error is None if error is None else error in str(one.error)
    assert one.holds is (text == "score < 60 || response < 60")
