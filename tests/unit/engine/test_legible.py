"""State in words: for every kind of condition, held against what the condition computed itself."""

from typing import Any

import pytest

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.legible import legible_mark, legible_state
from agentauri.engine.window import RATE_ENTRIES
from agentauri.models.event import rfc3339
from tests.unit.engine.making import (
    PARTITION,
    START,
    absence,
    aggregate,
    change,
    definition,
    ema,
    evaluator,
    rate,
    score,
)


def told(condition: dict[str, Any], scores: list[object]) -> dict[str, object] | None:
    """What is remembered after a score a second."""
    made = definition(condition)
    engine: PartitionEvaluator = evaluator(made)
    for second, value in enumerate(scores):
        engine.evaluate(score(value, seq=second + 1, time=second))
    stored = list(engine.dump_partition(PARTITION).values())
    return legible_state(made.conditions[0], stored[0] if stored else None)


SPAN = {"oldest": rfc3339(START), "newest": rfc3339(START + 2)}


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        (ema(alpha=0.5), {"ema": 27.625, "samples": 3}),
        (rate(), {"count": 3} | SPAN),
        (aggregate("count"), {"aggregate": 3, "samples": 3} | SPAN),
        (aggregate("sum"), {"aggregate": 90.5, "samples": 3} | SPAN),
        (aggregate("avg", last_n=2), {"aggregate": 35.25, "samples": 2}),
        (aggregate("distinct", last_n=3), {"aggregate": 2, "samples": 3}),
        (change(">", 1), {"previous": 20}),
    ],
)
def test_state_is_told_by_name(condition: dict[str, Any], state: dict[str, object]) -> None:
    assert told(condition, [20, "50.5", 20]) == state


def test_window_beyond_its_entries_tells_the_oldest_of_its_buckets() -> None:
    found = told(rate(time_window="1h"), [1] * (RATE_ENTRIES + 2))
    assert found is not None
    assert found["count"] == RATE_ENTRIES + 2
    assert (found["oldest"], found["newest"]) == (rfc3339(START + 1), rfc3339(START + RATE_ENTRIES + 1))


def test_absence_tells_its_last_event() -> None:
    found = told(absence("1h"), [1, 2])
    assert found is not None
    assert (found["since"], found["told"]) == (rfc3339(START + 1), False)


def test_nothing_is_remembered_of_nothing() -> None:
    assert told(ema(), []) is None
    assert legible_mark(None) is None


def test_other_form_is_refused() -> None:
    with pytest.raises(ValueError, match="state"):
        legible_state(definition(ema()).conditions[0], "x")
