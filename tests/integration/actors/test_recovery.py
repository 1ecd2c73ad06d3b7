"""Stores lost or back from the past, and evaluators that become more or fewer, while a backlog is worked off."""

import random
from typing import Any
from uuid import UUID

import pytest

from agentauri.actors import state_keeper
from agentauri.actors.evaluator import Evaluator
from agentauri.store.checkpoints import Checkpoints
from tests.integration.actors.test_evaluator import (
    rebuilt_state,
    retract,
    scores,
    some_scores,
    state_of,
    three_triggers,
)
from tests.integration.actors.test_evaluator_families import FAMILIES
from tests.support.oracle import one_pass
from tests.support.path import Gone, Rig
from tests.support.triggers import BURST, LOW_SCORE, make_organization, make_trigger


async def standing(rig: Rig) -> set[UUID]:
    rows = await rig.pool.fetch("SELECT id FROM deliveries WHERE status <> 'cancelled'")
    return {row["id"] for row in rows}


async def ahead_of_a_dump(rig: Rig) -> tuple[Evaluator, dict[bytes, bytes]]:
    """An evaluator that went on after Redis was dumped, and what was dumped."""
    await three_triggers(rig)
    await scores(rig, some_scores(30, 1))
    evaluator = await rig.served()
    older = await rig.dump_redis()
    await scores(rig, some_scores(30, 2), start=30)
    await rig.serve(evaluator)
    return evaluator, older


# -- Redis ------------------------------------------------------------------------------------------------------------


async def test_p16_restart_with_redis_back_from_an_older_dump_has_all_state(rig: Rig) -> None:
    evaluator, older = await ahead_of_a_dump(rig)
    live = state_of(evaluator)
    await rig.crash(evaluator)
    await rig.restore_redis(older)
    assert state_of(await rig.start()) == live


async def test_p16_older_dump_under_a_live_evaluator_loses_no_state(rig: Rig) -> None:
    evaluator, older = await ahead_of_a_dump(rig)
    await rig.restore_redis(older)
    await scores(rig, some_scores(3, 3), start=60)
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await rig.crash(evaluator)
    assert state_of(await rig.start()) == live


async def test_p18_older_dump_with_events_that_were_retracted_since_is_not_used(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(40, 1))
    evaluator = await rig.served()
    older = await rig.dump_redis()
    await retract(rig, 30, 10)
    await scores(rig, some_scores(10, 2), start=30, block_hash="0xother")
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await rig.crash(evaluator)
    await rig.restore_redis(older)
    again = await rig.start()
    assert state_of(again) == live
    await rig.crash(again)
    assert await rebuilt_state(rig) == live


async def test_p16_redis_that_is_ahead_of_a_restored_database_is_not_used(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(30, 1))
    evaluator = await rig.served()
    restored = state_of(evaluator), await rig.head()
    await scores(rig, some_scores(30, 2), start=30)
    await rig.serve(evaluator)
    await rig.crash(evaluator)
    await rig.pool.execute("DELETE FROM events WHERE seq > $1", restored[1])
    await rig.pool.execute("UPDATE partitions SET last_seq = $1", restored[1])
    assert state_of(await rig.start()) == restored[0]


async def test_p13_owners_that_a_restored_database_knows_nothing_of_fence_nobody(rig: Rig) -> None:
    await three_triggers(rig)
    for start in (0, 10, 20):
        await scores(rig, some_scores(10, start), start=start)
        await rig.crash(await rig.served())
    await rig.pool.execute("UPDATE partitions SET owner_token = 0")
    evaluator = await rig.start()
    await scores(rig, some_scores(10, 4), start=30)
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await rig.crash(evaluator)
    assert state_of(await rig.start()) == live == (await one_pass(rig.pool)).states


async def test_p16_redis_away_for_a_while_costs_no_state(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_keeper, "REDIS_REST_SECONDS", 0.0)
    await three_triggers(rig)
    await scores(rig, some_scores(30, 1))
    evaluator = await rig.served()

    async def away(*_: Any) -> Any:
        raise ConnectionError("by a test")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "add", away)
        patch.setattr(Checkpoints, "write", away)
        await scores(rig, some_scores(30, 2), start=30)
        await rig.serve(evaluator)
    await scores(rig, some_scores(2, 3), start=60)
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await rig.crash(evaluator)
    assert state_of(await rig.start()) == live


# -- more and fewer evaluators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(1, 3, 2), (3, 1, 2)])
@pytest.mark.parametrize("redis", [True, False])
async def test_p13_more_and_fewer_evaluators_during_a_backlog_change_neither_queue_nor_state(
    rig: Rig, counts: tuple[int, ...], redis: bool
) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        for number in range(4):  # in many partitions
            for family in [*FAMILIES, [LOW_SCORE, BURST]]:
                await make_trigger(connection, organization, family, cooldown_seconds=7 * (number % 2))
    for part in range(4):
        await scores(rig, some_scores(100, part), start=100 * part)
    dice, fleet = random.Random(8004), list[Evaluator]()
    for count in counts:
        fleet = [await rig.start(index=index, evaluators=count) for index in range(count)]
        for index, one in enumerate(fleet):
            await rig.serve(one, most=index + 1)
        for one in fleet if count != counts[-1] else ():
            await (rig.crash(one) if dice.random() < 0.5 else one.drain())
        if not redis:
            await rig.flush_redis()
    for one in fleet:
        await rig.serve(one)
    truth = await one_pass(rig.pool)
    assert await standing(rig) == truth.queue
    states = [state_of(one) for one in fleet]
    assert {partition: state for part in states for partition, state in part.items()} == truth.states
    assert await rig.unreconciled() == []


async def test_p13_evaluator_that_does_not_know_yet_that_there_are_more_writes_nothing(rig: Rig) -> None:
    await three_triggers(rig)
    only = await rig.start()
    more = [await rig.start(index=index, evaluators=3) for index in range(3)]
    await scores(rig, some_scores(30))
    with pytest.raises(Gone):
        await rig.serve(only)
    assert await rig.deliveries() == set()
    for one in more:
        await rig.serve(one)
    assert await standing(rig) == (await one_pass(rig.pool)).queue


# -- a backlog and what comes meanwhile -------------------------------------------------------------------------------


@pytest.mark.parametrize("crash", [False, True])
async def test_p07_trigger_made_during_a_backlog_meets_what_comes_after_it_alone(rig: Rig, crash: bool) -> None:
    await three_triggers(rig)
    before = await scores(rig, [1] * 200)
    evaluator = await rig.start()
    await rig.serve(evaluator, most=1)
    async with rig.pool.acquire() as connection:
        made = await make_trigger(connection, await make_organization(connection), [LOW_SCORE])
    after = await scores(rig, [1] * 20, start=200)
    await rig.serve(evaluator, most=1)
    if crash:
        await rig.crash(evaluator)
        evaluator = await rig.start()
    await rig.serve(evaluator)
    met = {event for trigger, _, event, _ in await rig.deliveries() if trigger == str(made.id)}
    assert met == set(map(str, after))
    assert not met & set(map(str, before))
    truth = await one_pass(rig.pool)
    assert (await standing(rig), state_of(evaluator)) == (truth.queue, truth.states)
