"""A week of events as real ones look, worked off twice: the same deliveries, word for word, and the same state.

First in large pages, by one evaluator without a stop; then in small ones, by two that are killed every other day, one
time together with Redis. Both are held to the plain rules.
"""

from typing import Any

from agentauri.demo.simulator import Simulator
from agentauri.store import events
from tests.integration.actors.test_evaluator import state_of
from tests.integration.actors.test_evaluator_families import FAMILIES
from tests.support.examples import EXAMPLES
from tests.support.oracle import one_pass
from tests.support.path import Rig
from tests.support.rows import BLOCK_TIME
from tests.support.triggers import make_organization, make_trigger

SEED = 8004
DAYS = 7
BURSTS_A_DAY = 24
EVENTS_A_BURST = 10
MOST_FIRE = 12
"""Of the triggers; the others wait for validators and texts that no simulator makes."""
DAY_SECONDS = 86_400
CHAIN = 84532
HOURLY: list[dict[str, Any]] = [
    {"condition_type": "rate_limit", "operator": ">", "value": 20, "config": {"time_window": "1d"}},
    {"condition_type": "window_aggregate", "field": "score", "operator": "<", "value": 75, "config": {
        "function": "avg", "time_window": "7d", "min_samples": 5}},
    {"condition_type": "window_aggregate", "field": "client_address", "operator": ">=", "value": 12, "config": {
        "function": "distinct", "time_window": "1d"}},
    {"condition_type": "absence", "config": {"time_window": "1d"}},
]  # fmt: skip
"""Conditions that a week of events brings to something."""


async def happen(rig: Rig) -> None:
    """The week, an hour's events at a time, in blocks of the hour."""
    simulator = Simulator(SEED, 1)
    async with rig.pool.acquire() as connection:
        for burst in range(DAYS * BURSTS_A_DAY):
            now = BLOCK_TIME + burst * DAY_SECONDS // BURSTS_A_DAY
            async with connection.transaction():
                await events.append(connection, CHAIN, simulator.take(EVENTS_A_BURST, now))


async def make_triggers(rig: Rig) -> None:
    """What users ask for: the examples without their agent, every family, and what a week is needed for."""
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        for example in EXAMPLES:
            conditions = [one for one in example["conditions"] if one["condition_type"] != "agent_id_equals"]
            await make_trigger(connection, organization, conditions, registry=example["registry"])
        for number, condition in enumerate([*FAMILIES, *([one] for one in HOURLY)]):
            await make_trigger(connection, organization, condition, cooldown_seconds=7200 * (number % 2))


async def rows(rig: Rig) -> list[tuple[Any, ...]]:
    """Every delivery in full, but for what a clock or the database chose."""
    found = await rig.pool.fetch("SELECT id, event_seq, status, context FROM deliveries ORDER BY id")
    return [tuple(row) for row in found]


async def begin_again(rig: Rig) -> None:
    await rig.pool.execute("TRUNCATE deliveries, trigger_ledger, trigger_state")
    await rig.pool.execute("UPDATE partitions SET last_seq = 0")
    await rig.pool.execute("UPDATE triggers SET fired_count = 0")
    await rig.flush_redis()
    rig.read_anew()


async def work_off_with_kills(rig: Rig) -> dict[int, Any]:
    states: dict[int, Any] = {}
    for index in range(2):
        evaluator = await rig.start(index=index, evaluators=2)
        for kill in range(DAYS // 2):
            await rig.serve(evaluator, most=3)
            await rig.crash(evaluator)
            if kill == 1:
                await rig.flush_redis()
            rig.read_anew()
            evaluator = await rig.start(index=index, evaluators=2)
        await rig.serve(evaluator)
        states |= state_of(evaluator)
    return states


async def test_p15_week_of_events_replayed_twice_gives_equal_deliveries_and_state(rig: Rig) -> None:
    await make_triggers(rig)
    await happen(rig)
    evaluator = await rig.start()
    rig.reader._rows = 1000
    await rig.serve(evaluator)
    first, live = await rows(rig), state_of(evaluator)
    assert await rig.unreconciled() == []
    await rig.crash(evaluator)
    await begin_again(rig)
    assert await work_off_with_kills(rig) == live
    assert await rows(rig) == first
    assert await rig.unreconciled() == []
    truth = await one_pass(rig.pool)
    assert {row[0] for row in first} == truth.queue
    assert live == truth.states
    assert await rig.pool.fetchval("SELECT count(DISTINCT trigger_id) FROM deliveries") >= MOST_FIRE
