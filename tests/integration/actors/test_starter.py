"""Triggers that begin in the past: queue and state are those of one that was there, whatever happens meanwhile."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.actors.starter import Turn
from agentauri.engine.shard import partition_of
from agentauri.errors import Fenced
from agentauri.models.ids import TriggerId
from agentauri.store import start_work
from tests.integration.actors.test_absences import set_clock
from tests.integration.actors.test_evaluator import rebuilt_state, scores, some_scores, state_of
from tests.integration.actors.test_evaluator_families import FAMILIES
from tests.support.path import Gone, Rig
from tests.support.starts import Starts, expected, queue
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE, make_organization, make_trigger

KINDS: list[list[dict[str, Any]]] = [[LOW_SCORE], [EMA_LOW], [LOW_SCORE, BURST], *FAMILIES]


async def begin(rig: Rig, conditions: list[dict[str, Any]], after: int = 0, **fields: Any) -> Any:
    async with rig.pool.acquire() as connection:
        return await make_trigger(connection, await make_organization(connection), conditions, after=after, **fields)


@pytest.mark.parametrize("kind", range(len(KINDS)))
async def test_past_and_present_are_those_of_a_plain_evaluator(
    rig: Rig, starts: Starts, small_pages: None, kind: int
) -> None:
    dice = random.Random(kind)
    await scores(rig, some_scores(60, kind))
    after = dice.randrange(50)
    trigger = await begin(rig, KINDS[kind], after, cooldown_seconds=dice.choice([0, 7]))
    await starts.work()
    await scores(rig, some_scores(40, kind + 1), start=60)
    evaluator = await rig.served()
    assert await queue(rig.pool) == await expected(rig.pool, trigger, after)
    live = state_of(evaluator)
    await evaluator.drain()
    assert await rebuilt_state(rig) == live
    row = await starts.row()
    assert (row["status"], row["position"] < row["joined_seq"]) == ("joined", True)
    assert starts.rung


async def test_events_that_come_while_it_joins_are_met_once_each(rig: Rig, starts: Starts) -> None:
    await scores(rig, some_scores(100))
    trigger = await begin(rig, [LOW_SCORE, BURST])
    evaluator = await rig.start()

    async def go_on() -> None:
        number = 100
        while (await starts.row())["status"] != "joined":
            await scores(rig, [number % 100], start=number)
            number += 1
        await scores(rig, some_scores(20), start=number)

    await asyncio.gather(go_on(), starts.work())
    await rig.serve(evaluator)
    assert await queue(rig.pool) == await expected(rig.pool, trigger, 0)


async def test_events_of_blocks_before_the_first_are_not_met(rig: Rig, starts: Starts) -> None:
    await scores(rig, [10] * 5)
    await scores(rig, [10], start=3, block_hash="0xother")
    await begin(rig, [LOW_SCORE], after=3, first_block=4)
    await starts.work()
    seqs = await rig.pool.fetch("SELECT event_seq FROM deliveries")
    assert [row[0] for row in seqs] == [5]


async def test_past_without_an_event_joins_at_once(rig: Rig, starts: Starts) -> None:
    trigger = await begin(rig, [EMA_LOW])
    await starts.work()
    await scores(rig, some_scores(20))
    await rig.served()
    assert await queue(rig.pool) == await expected(rig.pool, trigger, 0)


async def test_worker_whose_lease_ran_out_writes_nothing_more(rig: Rig, starts: Starts, small_pages: None) -> None:
    await scores(rig, some_scores(60))
    trigger = await begin(rig, [LOW_SCORE])
    async with rig.pool.acquire() as connection:
        old = await start_work.claim(connection)
        assert old is not None
        assert await start_work.claim(connection) is None

        async def nobody(_: object) -> None: ...

        zombie = Turn(connection, old, nobody)
        assert await zombie.step()
        await starts.free()
        await starts.turn(seconds=0)
        before = await queue(rig.pool)
        with pytest.raises(Fenced):
            await zombie.step()
        assert await queue(rig.pool) == before
    await starts.work()
    assert await queue(rig.pool) == await expected(rig.pool, trigger, 0)
    assert await rig.pool.fetchval("SELECT fired_count FROM triggers") == len(await queue(rig.pool))


async def test_organizations_take_turns(rig: Rig, starts: Starts, small_pages: None) -> None:
    await scores(rig, some_scores(60))
    async with rig.pool.acquire() as connection:
        many = await make_organization(connection)
        for _ in range(3):
            await make_trigger(connection, many, [LOW_SCORE], after=0)
    few = await begin(rig, [LOW_SCORE])
    turns = []
    for _ in range(4):
        await starts.turn(seconds=0)
        sql = "SELECT organization_id FROM trigger_starts ORDER BY worked_at DESC NULLS LAST LIMIT 1"
        turns.append(await rig.pool.fetchval(sql))
    assert turns == [many, few.organization_id] * 2


async def test_no_more_than_a_few_are_worked_off_at_a_time(rig: Rig, starts: Starts) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        for _ in range(start_work.AT_ONCE + 1):
            await make_trigger(connection, organization, [LOW_SCORE], after=0)
        taken = [await start_work.claim(connection) for _ in range(start_work.AT_ONCE + 1)]
        assert [one is None for one in taken] == [False] * start_work.AT_ONCE + [True]
        assert await start_work.count(connection) == start_work.Waiting(1, start_work.AT_ONCE, 0)


async def test_trigger_that_is_switched_off_in_between_stops_where_it_is(
    rig: Rig, starts: Starts, small_pages: None
) -> None:
    await scores(rig, some_scores(60))
    await begin(rig, [LOW_SCORE])
    await starts.turn(seconds=0)
    before = await queue(rig.pool)
    await rig.pool.execute("UPDATE triggers SET enabled = false")
    await starts.work()
    assert (await starts.row())["status"] == "ended"
    assert await queue(rig.pool) == before
    assert await rig.pool.fetchval("SELECT count(*) FROM trigger_versions") == 0


async def test_trigger_that_is_deleted_in_between_leaves_no_work(rig: Rig, starts: Starts, small_pages: None) -> None:
    await scores(rig, some_scores(60))
    await begin(rig, [LOW_SCORE])
    await starts.turn(seconds=0)
    await rig.pool.execute("DELETE FROM triggers")
    assert not await starts.turn()


async def test_p04_trigger_that_fails_on_its_past_is_switched_off(
    rig: Rig, starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OverflowError("by a test")

    monkeypatch.setattr("agentauri.engine.plan.Plan.meet", fail)
    await scores(rig, [10] * 20)
    await begin(rig, [LOW_SCORE])
    await starts.work()
    row = await rig.pool.fetchrow("SELECT enabled, disabled_reason FROM triggers")
    assert row is not None
    assert (row["enabled"], (await starts.row())["status"]) == (False, "ended")
    assert "by a test" in row["disabled_reason"]


@pytest.mark.parametrize("crash", [False, True])
async def test_p20_absence_that_waits_at_the_join_is_told_by_the_clock_once(
    rig: Rig, starts: Starts, crash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that the partition met before the join is one that this trigger has yet to meet."""
    silent = {"condition_type": "absence", "config": {"time_window": "1m"}}
    await scores(rig, [50])
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        there = await make_trigger(connection, organization, [silent])
    await scores(rig, [50], start=1)
    trigger = await begin(rig, [silent], trigger_id=same_partition(there.id))
    evaluator = await rig.served()
    await set_clock(rig, 500)
    await rig.serve_clocks(evaluator)
    await starts.work()
    if crash:

        async def die(*_: object) -> None:
            raise Gone

        monkeypatch.setattr(evaluator, "_meet_clocks", die)
        with pytest.raises(Gone):
            await rig.serve(evaluator)
        await rig.crash(evaluator)
        evaluator = await rig.start()
        assert (await evaluator.progress()).last_seq == await rig.head()
    await rig.serve(evaluator)
    await rig.serve_clocks(evaluator)
    await rig.serve_clocks(evaluator)
    fired = {row["id"]: row["fired_count"] for row in await rig.pool.fetch("SELECT id, fired_count FROM triggers")}
    assert fired == {there.id: 1, trigger.id: 2}
    live = state_of(evaluator)
    await evaluator.drain()
    assert await rebuilt_state(rig) == live


def same_partition(trigger_id: UUID) -> UUID:
    """The id of another trigger of the same partition."""
    return next(one for one in iter(uuid4, None) if partition_of(TriggerId(one)) == partition_of(TriggerId(trigger_id)))
