"""The evaluator: against the plain rules, replayed, dumped and loaded, with versions and errors in between."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given

from agentauri.engine import plan as plans
from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.plan import Firing, slot_names
from agentauri.engine.reference import Match, ReferenceEvaluator
from agentauri.models.event import Event
from agentauri.models.trigger import TriggerDefinition
from tests.unit.engine.making import (
    BIG_AGENT,
    PARTITION,
    START,
    WORLDS,
    World,
    agent,
    apply,
    below,
    definition,
    ema,
    evaluator,
    event,
    rate,
    score,
)


def plain(match: Match) -> tuple[Any, ...]:
    values = [(index, name, _near(value)) for index, name, value in match.shown]
    return match.trigger, values, match.silent, match.last


def shown(firing: Firing) -> tuple[Any, ...]:
    computed = [(int(index), *one) for index, values in firing.computed.items() for one in values.items()]
    values = [(index, name, value if name == "since" else float(str(value))) for index, name, value in computed]
    last = None if firing.silence is None else UUID(orjson.loads(firing.silence.event)["id"])
    return firing.trigger_id, values, firing.cooled_down, last


def _near(value: Any) -> Any:
    return value if isinstance(value, str) else pytest.approx(float(value), rel=1e-12, abs=1e-9)


def run(engine: PartitionEvaluator, log: list[Event]) -> list[list[Firing]]:
    return [sorted(engine.evaluate(one), key=lambda firing: (firing.trigger_id, firing.silence or ())) for one in log]


@given(WORLDS)
def test_p07_evaluator_fires_where_the_plain_rules_fire(world: World) -> None:
    crowd = world.crowd()
    engine, reference = evaluator(*crowd), ReferenceEvaluator()
    for trigger in crowd:
        reference.apply_version(trigger.id, trigger)
    for happened in world.log():
        if world.random() < 0.2:
            changed = world.trigger(world.randint(1, len(crowd)))
            new = changed if world.random() < 0.8 else None
            reference.apply_version(changed.id, new)
            engine.apply_version(changed.id, PARTITION, None if new is None else new.to_json())
        if world.random() < 0.2:
            chain, time = world.choice([1, 2]), START + world.randint(0, 200)
            assert_alike(engine.tick(chain, time, {PARTITION}), reference.tick(chain, time))
        assert_alike(engine.evaluate(happened), reference.evaluate(happened))
    assert engine.take_failures() == []


def assert_alike(firings: Sequence[Firing], matches: list[Match]) -> None:
    """A trigger may fire several times at once: absences of several groups, and then on the event itself."""
    found = sorted((shown(one) for one in firings), key=lambda one: (one[0], str(one[3]), str(one[1])))
    expected = sorted((plain(one) for one in matches), key=lambda one: (one[0], str(one[3]), str(one[1])))
    assert found == expected


@given(WORLDS)
def test_p15_replay_and_a_stop_in_the_middle_give_equal_state_and_firings(world: World) -> None:
    crowd, log = world.crowd(), world.log()
    whole, stopped, resumed = evaluator(*crowd), evaluator(*crowd), evaluator(*crowd)
    expected, cut = run(whole, log), world.randint(0, len(log))
    before = run(stopped, log[:cut])
    resumed.load_partition(PARTITION, orjson.loads(orjson.dumps(stopped.dump_partition(PARTITION))))
    assert before + run(resumed, log[cut:]) == expected
    assert resumed.dump_partition(PARTITION) == whole.dump_partition(PARTITION)


@given(WORLDS)
def test_p16_changes_applied_to_an_older_dump_make_the_newer_one(world: World) -> None:
    crowd = world.crowd()
    engine = evaluator(*crowd)
    stored: dict[str, Any] = {}
    for happened in [*world.log(), None]:
        if happened is None or world.flip():
            for key, value in engine.take_changes().get(PARTITION, {}).items():
                stored[key] = value
        elif world.random() < 0.2:
            changed = world.trigger(world.randint(1, len(crowd)))
            engine.apply_version(changed.id, PARTITION, changed.to_json())
        else:
            engine.evaluate(happened)
    assert {key: value for key, value in stored.items() if value is not None} == engine.dump_partition(PARTITION)
    assert engine.take_changes() == {}


@given(WORLDS)
def test_p07_trigger_that_comes_with_its_state_goes_on_as_if_it_had_been_there(world: World) -> None:
    crowd, log = world.crowd(), world.log()
    there, late, cut = evaluator(*crowd), evaluator(), world.randint(0, len(log))
    run(there, log[:cut])
    for trigger in crowd:
        late.apply_version(trigger.id, PARTITION, trigger.to_json(), there.dump_trigger(trigger.id))
    dumped = there.dump_partition(PARTITION)
    assert late.dump_partition(PARTITION) == dumped
    assert late.take_changes() == ({PARTITION: dumped} if dumped else {})
    assert run(late, log[cut:]) == run(there, log[cut:])


@given(WORLDS)
def test_order_of_conditions_never_matters(world: World) -> None:
    trigger, log = world.trigger(1), world.log()
    conditions = [one.wire() for one in trigger.conditions]
    world.shuffle(conditions)
    other = TriggerDefinition.from_json(trigger.to_json() | {"conditions": conditions})
    expected = [[one.cooled_down for one in firings] for firings in run(evaluator(trigger), log)]
    assert [[one.cooled_down for one in firings] for firings in run(evaluator(other), log)] == expected


def fired(engine: PartitionEvaluator, *log: Event) -> list[int]:
    """The seqs of events on which something fired, those that a cool-down silenced left out."""
    return [one.seq for one in log if any(not firing.cooled_down for firing in engine.evaluate(one))]


def test_first_average_is_the_first_score_and_explicit_alpha_wins() -> None:
    engine = evaluator(definition(agent(), ema("<", 70, window_size=10, alpha=0.2)))
    computed = [engine.evaluate(score(value, seq)) for seq, value in enumerate(["60", "100", "0"], 1)]
    averages = [one.computed["1"]["ema"] for firings in computed for one in firings]
    assert averages == [60.0, 68.0, 0.2 * 0 + 0.8 * 68.0]


def test_window_size_makes_alpha_two_over_n_plus_one() -> None:
    engine = evaluator(definition(ema(">", 0, window_size=3)))
    engine.evaluate(score(10))
    assert engine.evaluate(score(20, 2))[0].computed["0"]["ema"] == 15.0


def test_average_waits_for_min_samples() -> None:
    engine = evaluator(definition(ema("<", 70, alpha=1, min_samples=3)))
    assert fired(engine, *(score(10, seq) for seq in range(1, 5))) == [3, 4]


def test_average_of_equal_scores_equals_the_score() -> None:
    engine = evaluator(definition(ema("=", "70.1", alpha=0.1)), definition(ema("<", "70.1", alpha=0.1), number=2))
    assert [[one.trigger_id.int for one in engine.evaluate(score("70.1", seq))] for seq in range(1, 20)] == [[1]] * 19


def test_event_without_score_neither_changes_an_average_nor_fires() -> None:
    engine = evaluator(definition(ema("<", 70)))
    engine.evaluate(score(60))
    before = engine.dump_partition(PARTITION)
    assert engine.evaluate(event(2, event_type="FeedbackRevoked")) == []
    assert engine.dump_partition(PARTITION) == before


def test_event_without_score_updates_a_rate_beside_the_average() -> None:
    engine = evaluator(definition(ema(">", 0), rate(">=", 2)))
    assert fired(engine, event(1), score(5, 2)) == [2]


def test_filter_decides_before_state_is_touched() -> None:
    engine = evaluator(definition(rate(">", 0), below(50)))
    assert fired(engine, score(60), score(40, 2)) == [2]
    assert list(engine.dump_partition(PARTITION).values()) == [[[START], []]]


def test_rate_with_reset_fires_at_the_eleventh_and_counts_from_zero() -> None:
    engine = evaluator(definition(agent(), below(50), rate(">", 10, "1h", reset_on_trigger=True)))
    assert fired(engine, *(score(1, seq, time=60 * seq) for seq in range(1, 34))) == [11, 22, 33]


def test_rate_window_leaves_out_an_event_exactly_its_length_ago() -> None:
    engine = evaluator(definition(rate(">=", 2, "1m")))
    assert fired(engine, event(1, time=0), event(2, time=60), event(3, time=119)) == [3]


def test_older_event_counts_where_it_falls() -> None:
    engine = evaluator(definition(rate(">=", 3, "1m")))
    log = [event(1, time=100), event(2, time=10), event(3, time=50), event(4, time=41)]
    assert fired(engine, *log) == [4]


def test_reset_spares_a_match_that_a_cooldown_silenced() -> None:
    engine = evaluator(definition(rate(">=", 2, "1h", reset_on_trigger=True), cooldown_seconds=100))
    outcomes = [engine.evaluate(event(seq, time=seq)) for seq in range(1, 6)]
    assert [[one.cooled_down for one in firings] for firings in outcomes] == [[], [False], [], [True], [True]]


def test_cooldown_is_per_group_and_in_event_time() -> None:
    engine = evaluator(definition(below(50), cooldown_seconds=60))
    log = [score(1, 1, time=0), score(1, 2, time=59), score(1, 3, time=59, agent_id=7), score(1, 4, time=60)]
    assert fired(engine, *log) == [1, 3, 4]


def test_cooldown_of_a_stateless_trigger_does_not_lose_events_without_agent() -> None:
    engine = evaluator(definition(cooldown_seconds=60))
    assert fired(engine, *(event(seq, time=40 * seq, agent_id=None) for seq in range(1, 4))) == [1, 3]


def test_p19_on_change_fires_only_when_the_outcome_turns_true() -> None:
    engine = evaluator(definition(ema("<", 50, alpha=1), fire="on_change"))
    log = [score(value, seq) for seq, value in enumerate([40, 40, 60, 60, 40], 1)]
    assert fired(engine, *log) == [1, 5]


def test_on_change_turn_within_a_cooldown_is_silenced_for_good() -> None:
    engine = evaluator(definition(ema("<", 50, alpha=1), fire="on_change", cooldown_seconds=100))
    log = [score(value, seq, time=seq * 40) for seq, value in enumerate([40, 60, 40, 40, 40], 1)]
    assert fired(engine, *log) == [1]


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [("agent_id", [3, 4]), ("none", [2, 3, 4]), ("chain_id", [4]), (["chain_id", "agent_id"], [4])],
)
def test_state_is_kept_by_group(group_by: object, expected: list[int]) -> None:
    engine = evaluator(definition(rate(">=", 2, group_by=group_by)))
    log = [event(1, chain_id=1), event(2, chain_id=2, agent_id=7), event(3, chain_id=3), event(4, chain_id=1)]
    assert fired(engine, *log) == expected


def test_event_without_the_groups_field_neither_updates_nor_fires() -> None:
    engine = evaluator(definition(rate(">", 0, group_by="tag1")))
    assert fired(engine, event(1), event(2, data={"tag1": ""})) == [2]
    assert len(engine.dump_partition(PARTITION)) == 1


def test_group_of_an_agent_beyond_int64_is_read_from_data() -> None:
    engine = evaluator(definition(rate(">=", 2)))
    data = {"agent_id": str(BIG_AGENT)}
    assert fired(
        engine, event(1, agent_id=None, data=data), event(2, agent_id=None), event(3, agent_id=None, data=data)
    ) == [3]


def test_groups_of_long_tags_are_told_apart() -> None:
    engine = evaluator(definition(rate(">=", 2, group_by="tag1")))
    tags = ["a" * 200_000 + end for end in "ab"]
    assert fired(engine, *(event(seq, data={"tag1": tags[seq % 2]}) for seq in range(1, 4))) == [3]
    assert max(map(len, engine.dump_partition(PARTITION))) < 200


AVERAGE = definition(below(90), ema("<", 50, alpha=0.5))


@pytest.mark.parametrize(
    ("changed", "stays"),
    [
        (definition(ema("<", 60, alpha=0.5), below(90), name="other", cooldown_seconds=5), True),
        (definition(below(90), ema(">=", 50, alpha=0.5)), True),
        (definition(below(90), ema("<", 50, alpha=0.5), rate(">", 0)), True),
        (definition(below(90), ema("<", 50, alpha=0.4)), False),
        (definition(below(91), ema("<", 50, alpha=0.5)), False),
        (definition(below(90), ema("<", 50, alpha=0.5), chain_id=84532), False),
        (definition(below(90), ema("<", 50, alpha=0.5, group_by="none")), False),
        (definition(below(90), ema("<", 50, alpha=0.5) | {"field": "response"}), False),
    ],
)
def test_p07_state_stays_when_a_threshold_changes_and_starts_afresh_when_more_does(
    changed: TriggerDefinition, stays: bool
) -> None:
    engine = evaluator(AVERAGE)
    engine.evaluate(score(80))
    apply(engine, changed)
    assert ([80.0, 1] in engine.dump_partition(PARTITION).values()) is stays


def test_p07_enabling_starts_state_afresh() -> None:
    engine = evaluator(AVERAGE)
    engine.evaluate(score(80))
    engine.take_changes()
    engine.apply_version(AVERAGE.id, PARTITION, None)
    assert engine.evaluate(score(10, 2)) == []
    apply(engine, AVERAGE)
    assert engine.dump_partition(PARTITION) == {}
    assert list(engine.take_changes()[PARTITION].values()) == [None]


def test_same_condition_twice_has_two_states() -> None:
    engine = evaluator(definition(rate(">", 0), rate("<", 100)))
    engine.evaluate(event())
    assert len(engine.dump_partition(PARTITION)) == 2


def test_p14_partitions_that_are_ahead_are_skipped() -> None:
    engine = PartitionEvaluator()
    for number, partition in ((1, 3), (2, 4)):
        apply(engine, definition(rate(">", 0), number=number), partition)
    assert [one.trigger_id.int for one in engine.evaluate(event(), frozenset({3}))] == [2]
    assert engine.dump_partition(3) == {}


def test_triggers_that_nothing_narrows_are_counted_by_organization() -> None:
    engine = evaluator(definition(rate()), definition(agent(), number=2), definition(below(5), number=3))
    apply(engine, definition(number=4))
    assert engine.scanned() == {UUID(int=0): 2}
    engine.apply_version(UUID(int=4), PARTITION, None)
    engine.apply_version(UUID(int=1), PARTITION, definition(agent(), rate()).to_json())
    assert engine.scanned() == {}


def test_dropped_partition_leaves_nothing() -> None:
    engine = evaluator(definition(rate(">", 0)))
    engine.evaluate(event())
    engine.drop_partition(PARTITION)
    assert (engine.evaluate(event(2)), engine.trigger_count, engine.take_changes()) == ([], 0, {})


def test_p04_error_of_one_trigger_is_its_own_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = evaluator(definition(below(50)), definition(below(50), number=2))
    original = plans.Plan.meet

    def meet(plan: plans.Plan, happened: Event) -> Firing | None:
        if plan.trigger_id == UUID(int=1) and happened.seq != 3:
            raise ZeroDivisionError("nul \0")
        return original(plan, happened)

    monkeypatch.setattr(plans.Plan, "meet", meet)
    counts = []
    for seq in range(1, 5):
        assert UUID(int=2) in [one.trigger_id for one in engine.evaluate(score(1, seq))]
        counts.append([(one.trigger_id.int, one.count) for one in engine.take_failures()])
    assert counts == [[(1, 1)], [(1, 2)], [], [(1, 1)]]


def test_p04_definition_that_cannot_be_used_is_the_failure_of_its_trigger() -> None:
    engine = evaluator(definition(below(50)))
    failure = engine.apply_version(UUID(int=2), PARTITION, {"id": "nonsense"})
    assert failure is not None
    assert engine.take_failures() == [failure]
    assert [one.trigger_id.int for one in engine.evaluate(score(1))] == [1]


@pytest.mark.parametrize("value", [None, "x", [], [1], {"a": 1}])
def test_state_of_a_wrong_form_is_refused(value: object) -> None:
    engine = evaluator(definition(ema()))
    engine.evaluate(score(1))
    (key,) = engine.dump_partition(PARTITION)
    with pytest.raises(ValueError, match="no state"):
        engine.load_partition(PARTITION, {key: value})


def test_p04_state_of_a_wrong_form_takes_its_trigger_out() -> None:
    engine = evaluator(definition(agent()))
    trigger = definition(ema(), number=2)
    key = f"{trigger.id.hex}:{slot_names(trigger).parts[0]}:42"
    failure = engine.apply_version(trigger.id, PARTITION, trigger.to_json(), {key: "nonsense"})
    assert failure is not None
    assert (failure.trigger_id, engine.trigger_count) == (trigger.id, 1)


def test_state_that_is_recalled_replaces_what_was_there() -> None:
    trigger = definition(ema())
    engine = evaluator(trigger)
    run(engine, [score(50)])
    before = engine.dump_trigger(trigger.id)
    run(engine, [score(90, seq=2), score(10, seq=3, agent_id=7)])
    engine.take_changes()
    engine.recall(trigger.id, before)
    assert engine.dump_partition(PARTITION) == before
    changes = engine.take_changes()[PARTITION]
    assert sorted(state is None for state in changes.values()) == [False, True]
