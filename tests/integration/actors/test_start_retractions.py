"""A fork that reaches into a trigger's past: while it is worked off, after it joined the log, after it was ended."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from agentauri.models.trigger import TriggerDefinition
from agentauri.store import events
from tests.integration.actors.test_evaluator import rebuilt_state, scores, some_scores, state_of
from tests.integration.actors.test_starter import begin
from tests.support.path import Rig, snapshot
from tests.support.starts import Starts, expected, plain_state, queue
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE

CHAIN = 31337
EVENTS = 60
FORK = 20
KINDS = [[LOW_SCORE], [EMA_LOW], [LOW_SCORE, BURST]]
SILENT = {"condition_type": "absence", "config": {"time_window": "4s"}}


async def fork(rig: Rig, first: int = FORK, chain: int = CHAIN) -> None:
    """The chain leaves block ``first`` and those after it."""
    async with rig.pool.acquire() as connection, connection.transaction():
        await events.retract(connection, chain, first - 1)


async def two_chains(rig: Rig) -> None:
    """Events of two chains in turn; the second one is never forked."""
    for number, value in enumerate(some_scores(EVENTS, 3)):
        await scores(rig, [value], start=number, chain_id=CHAIN + number % 2)


async def half_worked_off(rig: Rig, starts: Starts, conditions: list[dict[str, Any]], **fields: Any) -> Any:
    """A past of which more than half is worked off, and nothing of it known to evaluators."""
    await two_chains(rig)
    made = await begin(rig, conditions, **fields)
    for _ in range(4):
        await starts.turn(seconds=0)
    assert FORK < (await starts.row())["position"] < EVENTS
    return made


async def assert_as_if_it_had_been_there(rig: Rig, trigger: TriggerDefinition) -> None:
    evaluator = await rig.served()
    assert await queue(rig.pool) == await expected(rig.pool, trigger, 0)
    assert await rig.unreconciled() == []
    live = state_of(evaluator)
    assert {key: state for part in live.values() for key, state in part.items()} == await plain_state(rig, trigger)
    await evaluator.drain()
    assert await rebuilt_state(rig) == live


@pytest.mark.parametrize("evaluator_first", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, [SILENT]])
async def test_p18_before_the_join_worker_and_evaluator_meet_it_in_any_order(
    rig: Rig, starts: Starts, small_pages: None, kind: list[dict[str, Any]], evaluator_first: bool
) -> None:
    trigger = await half_worked_off(rig, starts, kind)
    evaluator = await rig.start()
    await fork(rig)

    async def serve() -> None:
        await rig.serve(evaluator)

    meetings: list[Callable[[], Awaitable[Any]]] = [serve, lambda: starts.turn(seconds=0)]
    for meet in meetings if evaluator_first else reversed(meetings):
        await meet()
    await evaluator.drain()
    await scores(rig, some_scores(EVENTS - FORK, 4), start=FORK, block_hash="0xother")
    await starts.work()
    await assert_as_if_it_had_been_there(rig, trigger)


@pytest.mark.parametrize("kind", KINDS)
async def test_p18_place_that_a_deep_fork_took_from_is_not_begun_from_again(
    rig: Rig, starts: Starts, small_pages: None, kind: list[dict[str, Any]]
) -> None:
    trigger = await half_worked_off(rig, starts, kind)
    base = (await starts.row())["base_seq"]
    await fork(rig, base - 20)
    await starts.turn(seconds=0)
    assert (await starts.row())["base_seq"] is None
    await starts.turn(seconds=0)
    await fork(rig, base + 5, CHAIN + 1)
    assert (await starts.row())["position"] > base + 5
    await scores(rig, some_scores(20, 5), start=EVENTS, block_hash="0xother")
    await starts.work()
    await assert_as_if_it_had_been_there(rig, trigger)


@pytest.mark.parametrize("is_snapped", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_p18_after_the_join_its_past_is_made_anew(
    rig: Rig, starts: Starts, small_pages: None, kind: list[dict[str, Any]], is_snapped: bool
) -> None:
    await two_chains(rig)
    trigger = await begin(rig, kind)
    await starts.work()
    evaluator = await rig.served()
    if is_snapped:
        await snapshot(evaluator)
    await fork(rig)
    await scores(rig, some_scores(EVENTS - FORK, 4), start=FORK, block_hash="0xother")
    await rig.serve(evaluator)
    await evaluator.drain()
    await assert_as_if_it_had_been_there(rig, trigger)


async def test_p18_delivered_part_of_a_past_gets_its_notice(rig: Rig, starts: Starts, small_pages: None) -> None:
    await half_worked_off(rig, starts, [LOW_SCORE], action_config={"notify_retraction": True})
    await rig.pool.execute("UPDATE deliveries SET status = 'delivered'")
    sql = """SELECT array_agg(d.id) FROM deliveries AS d JOIN events AS e ON e.id = d.event_id
             WHERE e.block_number >= $1 AND e.chain_id = $2"""
    gone: list[UUID] = await rig.pool.fetchval(sql, FORK, CHAIN)
    await fork(rig)
    await starts.work()
    notices = await rig.pool.fetch("SELECT context FROM deliveries WHERE type = 'trigger.retracted'")
    assert {row["context"]["first_delivery_id"] for row in notices} == {str(one) for one in gone}


async def test_past_that_was_ended_loses_the_events_that_are_no_more_and_keeps_the_others(
    rig: Rig, starts: Starts, small_pages: None
) -> None:
    await half_worked_off(rig, starts, [EMA_LOW])
    await rig.pool.execute("UPDATE triggers SET enabled = false")
    await starts.work()
    assert (await starts.row())["status"] == "ended"
    before = await queue(rig.pool)
    await fork(rig)
    await rig.served()
    sql = "SELECT d.id FROM deliveries AS d JOIN events AS e ON e.id = d.event_id WHERE e.retracted_seq IS NULL"
    kept = {row["id"] for row in await rig.pool.fetch(sql)}
    assert await queue(rig.pool) == kept
    assert kept < before
