"""Absence: when it is told, by whom, how often, and what of it is remembered."""

from typing import Any

import orjson

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.silence import CUT_TEXT, MOST_BYTES, kept
from agentauri.models.event import Event
from tests.unit.engine.making import PARTITION, START, absence, agent, apply, below, definition, evaluator, event, score

CHAIN = 84532


def told(engine: PartitionEvaluator, time: int, chain: int = CHAIN) -> list[str]:
    """The groups whose absence the chain's clock tells at a time, in seconds since START."""
    return [one.group for one in engine.tick(chain, START + time, {PARTITION}) if not one.cooled_down]


def meets(engine: PartitionEvaluator, happened: Event) -> list[str]:
    return [one.group for one in engine.evaluate(happened)]


def test_absence_is_told_when_the_window_is_over_and_once_until_the_next_event() -> None:
    engine = evaluator(definition(absence("1m")))
    assert meets(engine, event()) == []
    assert [told(engine, time) for time in (0, 59, 60, 60, 500)] == [[], [], ["42"], [], []]
    assert meets(engine, event(2, time=500)) == []
    assert [told(engine, time) for time in (559, 560)] == [[], ["42"]]


def test_nothing_is_absent_before_the_first_event_that_passes() -> None:
    engine = evaluator(definition(agent(), below(50), absence("1m")))
    meets(engine, score(60))
    assert told(engine, 1_000) == []
    meets(engine, score(40, 2, time=1_000))
    assert told(engine, 1_060) == ["42"]


def test_event_at_the_very_end_comes_too_late() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, event())
    assert meets(engine, event(2, time=60)) == ["42"]
    assert told(engine, 60) == []


def test_event_of_any_agent_tells_how_late_its_chain_is() -> None:
    engine = evaluator(definition(agent(), absence("1m")))
    meets(engine, event())
    assert meets(engine, event(2, time=90, agent_id=7, chain_id=1)) == []
    assert meets(engine, event(3, time=90, agent_id=7)) == ["42"]


def test_chains_know_nothing_of_each_other_even_in_one_group() -> None:
    engine = evaluator(definition(absence("1m", group_by="none")))
    meets(engine, event(1, chain_id=1))
    meets(engine, event(2, chain_id=2))
    assert [told(engine, 60, chain) for chain in (1, 1, 2)] == [[""], [], [""]]


def test_firing_is_about_the_last_event() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, score(1, 1))
    meets(engine, score(2, 2, time=10))
    (firing,) = engine.tick(CHAIN, START + 100, {PARTITION})
    assert firing.silence is not None
    assert firing.silence.due == START + 70
    assert orjson.loads(firing.silence.event) == score(2, 2, time=10).public()
    assert firing.computed == {"0": {"since": "2023-11-14T22:13:30Z"}}


def test_cooldown_of_an_absence_counts_from_when_it_was_due() -> None:
    engine = evaluator(definition(absence("10s"), cooldown_seconds=60))
    outcomes = []
    for seq, time in enumerate((0, 20, 50, 70), 1):
        meets(engine, event(seq, time=time))
        outcomes += [one.cooled_down for one in engine.tick(CHAIN, START + time + 10, {PARTITION})]
    assert outcomes == [False, True, True, False]


def test_on_change_adds_nothing_to_an_absence() -> None:
    engine = evaluator(definition(absence("10s"), fire="on_change"))
    for seq, time in enumerate((0, 100), 1):
        meets(engine, event(seq, time=time))
        assert told(engine, time + 10) == ["42"]


def test_loaded_state_waits_for_the_same_times() -> None:
    engine, again = evaluator(definition(absence("1m"))), evaluator(definition(absence("1m")))
    meets(engine, event(1, agent_id=1))
    meets(engine, event(2, time=30, agent_id=2))
    told(engine, 60)
    again.load_partition(PARTITION, orjson.loads(orjson.dumps(engine.dump_partition(PARTITION))))
    assert again.dump_partition(PARTITION) == engine.dump_partition(PARTITION)
    assert [told(again, time) for time in (60, 89, 90)] == [[], [], ["2"]]


def test_p14_partition_that_is_ahead_tells_nothing_twice() -> None:
    engine = PartitionEvaluator()
    for number, partition in ((1, 3), (2, 4)):
        apply(engine, definition(absence("1m"), number=number), partition)
    engine.evaluate(event())
    assert [one.trigger_id.int for one in engine.evaluate(event(2, time=90), frozenset({3}))] == [2]
    assert [one.trigger_id.int for one in engine.tick(CHAIN, START + 90, {3, 4})] == [1]


def test_trigger_that_is_off_is_not_missed() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, event())
    engine.apply_version(definition().id, PARTITION, None)
    apply(engine, definition(absence("1m")))
    assert told(engine, 1_000) == []


def test_changed_window_starts_afresh_and_a_changed_name_does_not() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, event())
    apply(engine, definition(absence("1m"), name="other"))
    assert [one.name for one in engine.tick(CHAIN, START + 60, {PARTITION})] == ["other"]
    meets(engine, event(2, time=100))
    apply(engine, definition(absence("2m")))
    assert told(engine, 1_000) == []


def test_dropped_partition_waits_for_nothing() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, event())
    engine.drop_partition(PARTITION)
    assert engine._dues.first == {}


def test_very_large_event_is_kept_with_its_texts_cut() -> None:
    data: dict[str, Any] = {"agent_uri": "data:" + "x" * MOST_BYTES, "topics": ["0x"] * 9, "score": "5"}
    text = kept(event(data=data))
    assert len(text) < MOST_BYTES
    assert orjson.loads(text)["data"] == {"agent_uri": data["agent_uri"][:CUT_TEXT], "score": 5}


def test_p18_event_from_before_a_told_absence_was_due_withdraws_it() -> None:
    engine = evaluator(trigger := definition(absence("1m")))
    meets(engine, event(1))
    assert told(engine, 60) == ["42"]
    meets(engine, event(2, time=59))
    assert engine.take_withdrawn() == [(trigger.id, event(1).id)]
    assert engine.take_withdrawn() == []
    assert [told(engine, time) for time in (118, 119)] == [[], ["42"]]


def test_event_at_or_after_the_end_of_a_told_absence_withdraws_nothing() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, event(1))
    told(engine, 60)
    meets(engine, event(2, time=60))
    assert engine.take_withdrawn() == []


def test_p18_withdrawn_absence_leaves_the_cooldown_as_it_was() -> None:
    trigger = definition(absence("10s"), cooldown_seconds=60)
    engine, plain = evaluator(trigger), evaluator(trigger)
    for one in (engine, plain):
        meets(one, event(1))
        assert told(one, 20) == ["42"]
        meets(one, event(2, time=70))
    told(engine, 80)
    for one in (engine, plain):
        meets(one, event(3, time=75))
    assert engine.dump_partition(PARTITION) == plain.dump_partition(PARTITION)


def test_p12_clock_says_nothing_of_events_after_its_place_in_the_log() -> None:
    engine = evaluator(definition(absence("1m")))
    meets(engine, event(5))
    assert engine.tick(CHAIN, START + 100, {PARTITION}, 4) == []
    assert len(engine.tick(CHAIN, START + 100, {PARTITION}, 5)) == 1


def test_absence_is_taken_for_told_only_of_an_event_that_is_still_the_last() -> None:
    engine = evaluator(trigger := definition(absence("1m")))
    meets(engine, event(1))
    meets(engine, event(2, time=30))
    assert engine.believe(trigger.id, {event(1).id}) == set()
    assert engine.believe(trigger.id, {event(2).id}) == {event(2).id}
    assert told(engine, 500) == []
    assert engine.watches({PARTITION}) == [trigger.id]


def test_told_absence_of_a_group_that_fired_before_is_stored_and_loaded() -> None:
    engine = evaluator(trigger := definition(absence("10s"), cooldown_seconds=60))
    for seq, time in ((1, 0), (2, 100)):
        meets(engine, event(seq, time=time))
        told(engine, time + 10)
    state = orjson.loads(orjson.dumps(engine.dump_partition(PARTITION)))
    again = evaluator(trigger)
    again.load_partition(PARTITION, state)
    assert again.dump_partition(PARTITION) == state
