"""The index: no trigger is missed, few are offered in vain, and what is taken out is gone."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.engine.bounds import Bounded
from agentauri.engine.index import TriggerIndex
from agentauri.engine.narrow import MAX_KEYS, Place, cost_class, find_place
from agentauri.engine.reference_fields import passes
from agentauri.models.event import Event
from agentauri.models.trigger import TriggerDefinition
from agentauri.models.values import exact_number
from tests.unit.engine.making import (
    ALICE,
    BIG_AGENT,
    BOB,
    WORLDS,
    World,
    agent,
    below,
    definition,
    ema,
    event,
    expression,
    parsed,
    rate,
    score,
)


class Entry:
    """A trigger in the index."""

    def __init__(self, trigger: TriggerDefinition) -> None:
        self.trigger = trigger
        self.place: Place = find_place(trigger)[0]


def index_of(*triggers: TriggerDefinition) -> tuple[TriggerIndex[Entry], list[Entry]]:
    index: TriggerIndex[Entry] = TriggerIndex()
    entries = [Entry(trigger) for trigger in triggers]
    for entry in entries:
        index.add(entry)
    return index, entries


def found(index: TriggerIndex[Entry], happened: Event) -> list[int]:
    return sorted(entry.trigger.id.int for entry in index.candidates(happened))


def expected(entries: list[Entry], happened: Event) -> list[int]:
    def meets(trigger: TriggerDefinition) -> bool:
        here = trigger.chain_id in (None, happened.chain_id) and trigger.registry in (None, happened.registry)
        return here and all(passes(one, happened) for one in trigger.conditions if not one.is_stateful)

    return [entry.trigger.id.int for entry in entries if meets(entry.trigger)]


def crowded(world: World, number: int) -> TriggerDefinition:
    """A trigger that shares its place with all others, told apart by thresholds, bands, tags and addresses."""
    conditions: list[dict[str, Any]] = []
    if world.flip():
        operators = world.sample(["<", "<=", ">", ">=", "=", "!="], world.randint(1, 2))
        conditions += [below(str(world.choice([0, 1, 50, 50.5, 99.77, 1e20, -5])), one) for one in operators]
    if world.flip():
        tags = world.choices(["a", "A", "starred", "ß"], k=2)
        conditions.append({"condition_type": "tag_equals", "field": "tag1", "operator": "in", "value": tags,
                           "config": {"ignore_case": world.flip()}})  # fmt: skip
    if world.flip():
        match = {"condition_type": "field_match", "field": "client_address", "operator": "="}
        conditions.append(match | {"value": world.choice([ALICE, BOB])})
    if world.flip():
        begins = {"condition_type": "field_match", "operator": "starts_with", "config": {"ignore_case": world.flip()}}
        names = world.sample(["tag2", "feedback_uri", "client_address"], world.randint(1, 2))
        texts = ["a", "A", "star", "S", "ipfs:", "ß", ALICE[:6], ALICE.lower()[:20]]
        conditions += [begins | {"field": name, "value": world.choice(texts)} for name in names]
    return definition(*conditions, number=number)


@given(WORLDS)
def test_crowded_place_misses_no_trigger_and_offers_none_twice(world: World) -> None:
    index, entries = index_of(*(crowded(world, number) for number in range(1, 60)))
    for _ in range(10):
        happened = event(data=world.data() | {"score": world.choice([None, "50", 50.5, "0.999", "1e20", -6, True])})
        offered = found(index, happened)
        assert len(set(offered)) == len(offered)
        assert set(expected(entries, happened)) <= set(offered)
        gone = entries.pop(world.randrange(len(entries)))
        index.remove(gone)
        assert gone.trigger.id.int not in found(index, happened)
        assert set(expected(entries, happened)) <= set(found(index, happened))


@given(WORLDS)
def test_index_that_is_emptied_holds_nothing(world: World) -> None:
    index, entries = index_of(*(crowded(world, number) for number in range(1, 40)), *world.crowd())
    world.shuffle(entries)
    for entry in entries:
        index.remove(entry)
    assert vars(index) == vars(TriggerIndex())


def test_event_of_another_agent_finds_nothing_and_leaves_its_data_unread() -> None:
    index, _ = index_of(*(definition(agent(number), below(50), number=number) for number in range(1, 100)))
    happened = event(agent_id=500)
    happened.data_json = b"never parsed"
    assert found(index, happened) == []


def test_event_reads_its_data_only_where_its_place_is_crowded() -> None:
    crowd = [definition(agent(1), below(number), number=number) for number in range(1, 20)]
    index, _ = index_of(*crowd, definition(agent(2), below(50), number=99))
    quiet = event(agent_id=2)
    quiet.data_json = b"never parsed"
    assert found(index, quiet) == [99]
    assert found(index, score(15, agent_id=1)) == [15, 16, 17, 18, 19]


def test_bands_on_one_field_are_found_without_looking_at_the_others() -> None:
    bands = [definition(below(number, ">="), below(number + 1), number=number) for number in range(1, 2_000)]
    index, _ = index_of(*bands)
    offered = found(index, score("700.5"))
    assert 700 in offered
    assert len(offered) <= 8


def begins(text: str, field: str = "tag1", **config: Any) -> dict[str, Any]:
    return {"condition_type": "field_match", "field": field, "operator": "starts_with", "value": text, "config": config}


def test_beginnings_are_found_without_looking_at_the_others() -> None:
    crowd = [definition(begins(f"job-{number}-"), number=number) for number in range(1, 2_000)]
    index, entries = index_of(*crowd, definition(begins("job"), number=5_000))
    assert found(index, event(data={"tag1": "job-700-done"})) == [700, 5_000]
    assert found(index, event(data={"tag1": "jo"})) == found(index, event()) == []
    index.remove(entries[699])
    assert found(index, event(data={"tag1": "job-700-done"})) == [5_000]


EQUAL = {"condition_type": "tag_equals", "field": "tag1", "operator": "=", "value": "a"}
NONE_OF = {"condition_type": "group", "config": {"mode": "none", "conditions": [agent(1)]}}
ALL_OF = {"condition_type": "group", "config": {"mode": "all", "conditions": [agent(1), below(5)]}}


@pytest.mark.parametrize(
    ("conditions", "cost"),
    [
        ([agent(1)], "indexed"), ([below(5), EQUAL], "indexed"), ([ALL_OF], "indexed"),
        ([below(5), begins("a")], "prefix"), ([below(5)], "threshold"), ([below(5, "=")], "indexed"),
        ([below(5, "!=")], "scanned"), ([NONE_OF], "scanned"), ([], "scanned"), ([rate()], "scanned"),
        ([ema(), below(5)], "threshold"), ([expression("score < 5")], "scanned"),
    ],
)  # fmt: skip
def test_cost_class_says_how_a_trigger_is_found(conditions: list[dict[str, Any]], cost: str) -> None:
    assert cost_class(parsed(*conditions)) == cost


def test_agent_beyond_int64_is_found_by_its_id_in_data() -> None:
    index, _ = index_of(definition(agent(str(BIG_AGENT)), number=1), definition(agent(1), number=2))
    assert found(index, event(agent_id=None, data={"agent_id": str(BIG_AGENT)})) == [1]
    assert found(index, event(agent_id=None, data={"agent_id": "1"})) == []


def test_condition_that_contradicts_its_trigger_is_in_no_place() -> None:
    index, entries = index_of(definition(agent(1), agent(2)))
    assert found(index, event(agent_id=1)) == []
    index.remove(entries[0])
    assert vars(index) == vars(TriggerIndex())


def test_lists_that_multiply_keep_the_agents_as_keys() -> None:
    def listed(name: str, values: list[object]) -> dict[str, Any]:
        return {"condition_type": "field_match", "field": name, "operator": "in", "value": values}

    agents, chains = [str(number) for number in range(1000)], [1, 2, 84532]
    trigger = definition(listed("agent_id", list(agents)), listed("chain_id", list(chains)))
    place, tests = find_place(trigger)
    assert len(place.keys) == 1000 <= MAX_KEYS
    assert [one.field for one in tests] == ["chain_id"]


NUMBERS = st.sampled_from(["0", "1", "-1", "0.5", "1e-30", "1e90", "-1e90", "99.77", "100", str(2**127)])


@given(st.lists(st.tuples(st.none() | NUMBERS, st.none() | NUMBERS), max_size=90), NUMBERS, st.randoms())
def test_every_item_whose_bounds_a_value_meets_is_found(
    raw: list[tuple[str | None, str | None]], text: str, random: random.Random
) -> None:
    value = exact_number(text)
    assert value is not None
    bounds = [(exact_number(low or ""), exact_number(high or "")) for low, high in raw]
    bounded: Bounded[tuple[int, str]] = Bounded()
    items = [(number, "item") for number in range(len(bounds))]
    for item, (low, high) in zip(items, bounds, strict=True):
        bounded.add(low, high, item)
    for number in random.sample(range(len(bounds)), len(bounds) // 2):
        bounded.remove(*bounds[number], items[number])
        bounds[number] = (None, None)
    meets = {
        item for item, (low, high) in zip(items, bounds, strict=True)
        if (low, high) != (None, None) and (low is None or low <= value) and (high is None or value <= high)
    }  # fmt: skip
    found_items: list[tuple[int, str]] = []
    bounded.find(float(value), found_items)
    assert meets <= set(found_items)
