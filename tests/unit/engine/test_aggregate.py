"""Windows and changes: each function at a glance, exact beyond doubles, bounded beyond a thousand entries."""

from fractions import Fraction
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.engine.entries import TimedEntries
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.reference import ReferenceEvaluator
from agentauri.engine.window import RATE_BUCKETS, RATE_ENTRIES
from agentauri.models.event import Event
from agentauri.models.stateful_config import Function
from tests.unit.engine.making import PARTITION, aggregate, apply, change, definition, evaluator, event, score
from tests.unit.engine.test_evaluator import assert_alike, fired

ALWAYS = {"operator": ">=", "value": "-1e90"}


def computed(engine: PartitionEvaluator, *log: Event) -> list[Any]:
    """What the first condition computed at each event that fired."""
    return [value for one in log for firing in engine.evaluate(one) for value in firing.computed["0"].values()]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("count", [1, 2, 3, 4]), ("sum", [1, 3.5, 10.5, 10.3]), ("avg", [1, 1.75, 3.5, 2.575]),
        ("min", [1, 1, 1, -0.2]), ("max", [1, 2.5, 7, 7]), ("distinct", [1, 2, 3, 4]), ("p50", [1, 1, 2.5, 1]),
        ("p95", [1, 2.5, 7, 7]), ("p99", [1, 2.5, 7, 7]), ("stddev", [0, 0.75, 2.54950975679639, 2.72798002192098]),
    ],
)  # fmt: skip
def test_function_of_four_scores(function: str, expected: list[float]) -> None:
    engine = evaluator(definition(aggregate(function) | ALWAYS))
    found = computed(engine, *(score(value, seq) for seq, value in enumerate(["1", "2.5", "7", "-0.2"], 1)))
    assert [float(one) for one in found] == pytest.approx(expected)


def test_sum_of_decimals_is_exact() -> None:
    engine = evaluator(definition(aggregate("sum", "=", "0.3")))
    assert fired(engine, *(score("0.1", seq) for seq in range(1, 5))) == [3]


def test_sum_beyond_a_double_keeps_its_digits() -> None:
    engine = evaluator(definition(aggregate("sum") | ALWAYS))
    assert computed(engine, score(str(2**127 - 1)), score("0.25", 2))[1] == "170141183460469231731687303715884105727.25"


def test_value_that_leaves_the_window_is_forgotten() -> None:
    engine = evaluator(definition(aggregate("max", ">", 50, time_window="1m")))
    log = [score(90, 1), score(10, 2, time=59), score(20, 3, time=60), score(60, 4, time=61)]
    assert fired(engine, *log) == [1, 2, 4]


def test_last_n_are_the_last_in_the_log_whatever_their_times() -> None:
    engine = evaluator(definition(aggregate("sum", last_n=2) | ALWAYS))
    log = [score(1, 1, time=100), score(2, 2, time=50), score(4, 3, time=0)]
    assert computed(engine, *log) == [1, 3, 6]


def test_aggregate_waits_for_min_samples() -> None:
    engine = evaluator(definition(aggregate("avg", "<", 70, min_samples=3)))
    assert fired(engine, *(score(10, seq) for seq in range(1, 5))) == [3, 4]


def test_count_without_field_counts_every_event_and_with_one_those_that_have_it() -> None:
    every = aggregate("count", ">", 1, None)
    engine = evaluator(definition(every), definition(every | {"field": "tag1"}, number=2))
    tagged = {"tag1": ""}
    firings = [engine.evaluate(event(seq, data=data)) for seq, data in enumerate([{}, tagged, tagged], 1)]
    assert [[one.trigger_id.int for one in some] for some in firings] == [[], [1], [1, 2]]


def test_distinct_takes_addresses_without_case() -> None:
    engine = evaluator(definition(aggregate("distinct", field="client_address") | ALWAYS))
    data = [{"client_address": address} for address in ("0x" + "AB" * 20, "0x" + "ab" * 20, "0x" + "cd" * 20)]
    assert computed(engine, *(event(seq, data=one) for seq, one in enumerate(data, 1))) == [1, 1, 2]


def test_beyond_a_thousand_entries_a_count_goes_on_as_the_plain_rules_say() -> None:
    trigger = definition(aggregate("count", time_window="5m") | ALWAYS)
    engine, reference = evaluator(trigger), ReferenceEvaluator()
    reference.apply_version(trigger.id, trigger)
    for seq in range(1, 1_260):
        happened = score(f"{seq * 7 % 101}.5", seq, time=seq // 4 - (30 if seq % 50 == 0 else 0))
        firings = engine.evaluate(happened)
        if seq == 1_230:
            stored = orjson.loads(orjson.dumps(engine.dump_partition(PARTITION)))
            engine = evaluator(trigger)
            engine.load_partition(PARTITION, stored)
        matches = reference.evaluate(happened)
        if seq > 990 and seq % 20 == 0:
            assert_alike(firings, matches)


@pytest.mark.parametrize(("function", "pick"), [("p95", 949), ("min", 0), ("max", 999), ("distinct", None)])
def test_beyond_a_thousand_entries_other_functions_look_at_the_newest_thousand(function: str, pick: int | None) -> None:
    engine = evaluator(definition(aggregate(function) | ALWAYS))
    values = [5_000 - seq if seq % 3 else seq for seq in range(1, 1_500)]
    found = computed(engine, *(score(value, seq, time=seq) for seq, value in enumerate(values, 1)))
    newest = sorted(values[-1_000:])
    assert found[-1] == (len(set(newest)) if pick is None else newest[pick])


def test_sum_in_buckets_is_exact_and_bounded() -> None:
    window, length, count = TimedEntries(), 25_600, 0
    for time in range(0, 3 * length, 10):
        count = window.add(time, 1, length, Function.SUM)
        total = window.tally(Function.SUM).result(count)
        assert total == count
        assert len(window.times) <= RATE_ENTRIES
        assert len(window.buckets) <= RATE_BUCKETS + 1
    assert length // 10 <= count <= length // 10 + 11


@given(st.lists(st.tuples(st.integers(0, 300), st.decimals(-100, 100, places=2)), min_size=1, max_size=60))
def test_loaded_values_go_on_as_the_dumped_ones(seen: list[tuple[int, Any]]) -> None:
    window = TimedEntries()
    for place, (time, value) in enumerate(seen):
        loaded = TimedEntries.load(orjson.loads(orjson.dumps(window.dump())))
        function = Function.STDDEV if len(seen) % 2 else Function.SUM
        counts = [one.add(time, value, 100, function) for one in (window, loaded)]
        assert counts[0] == counts[1] <= place + 1
        assert window.tally(function).result(counts[0]) == loaded.tally(function).result(counts[1])
        assert window.dump() == loaded.dump()


# -- change -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (change("crosses_above", 50), [2, 5]), (change("crosses_below", 50), [4]), (change(">", 0), [2, 5]),
        (change("=", "-0.7"), [4]), (change("<=", "-1", mode="percent"), [4]), (change("=", 10, mode="percent"), [5]),
    ],
)  # fmt: skip
def test_change_compares_a_score_with_the_one_before(condition: dict[str, Any], expected: list[int]) -> None:
    log = [score(value, seq) for seq, value in enumerate(["50", "50.5", "50.5", "49.8", "54.78"], 1)]
    assert fired(evaluator(definition(condition)), *log) == expected


def test_percent_of_a_previous_zero_is_false_and_of_a_negative_one_goes_by_its_size() -> None:
    engine = evaluator(definition(change(">=", 50, mode="percent")))
    assert fired(engine, *(score(value, seq) for seq, value in enumerate([0, 5, -10, -5, 0], 1))) == [4, 5]


def test_change_is_exact_at_the_size_of_an_int128() -> None:
    engine = evaluator(definition(change("=", 1, "value", mode="delta")))
    numbers = [2**126, 2**126 + 1, 2**126 + 3]
    assert fired(engine, *(event(seq, data={"value": str(one)}) for seq, one in enumerate(numbers, 1))) == [2]


def test_change_is_kept_by_group() -> None:
    engine = evaluator(definition(change("!=", 0, group_by=["tag1", "chain_id"])))
    data = [{"score": number, "tag1": tag} for number, tag in ((1, "a"), (2, "b"), (3, None), (4, "a"))]
    assert fired(engine, *(event(seq, data=one) for seq, one in enumerate(data, 1))) == [4]


def test_previous_value_is_shown_exactly() -> None:
    engine = evaluator(definition(change(">", 0)))
    assert computed(engine, score("59.5"), score("60", 2)) == [59.5]
    assert computed(engine, score(str(10**17), 3), score(str(10**18), 4)) == [60, str(10**17)]


def test_threshold_may_change_and_state_stays_for_the_new_types() -> None:
    engine = evaluator(definition(aggregate("sum", ">", 100), change(">", 5)))
    engine.evaluate(score(60))
    apply(engine, definition(aggregate("sum", ">", 90), change("crosses_above", 30)))
    assert len(engine.dump_partition(PARTITION)) == 2
    apply(engine, definition(aggregate("avg", ">", 90), change("crosses_above", 30, mode="percent")))
    assert engine.dump_partition(PARTITION) == {}


def test_nearest_rank_is_the_smallest_value_with_enough_at_or_below_it() -> None:
    engine = evaluator(definition(aggregate("p95") | ALWAYS))
    ranked = computed(engine, *(score(number, number) for number in range(1, 101)))
    assert [int(one) for one in ranked] == [-(-95 * count // 100) for count in range(1, 101)]
    assert Fraction(ranked[-1]) == 95
