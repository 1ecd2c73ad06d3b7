"""An evaluator on real stores: what it enqueues and what state it has; test_evaluator_kills.py has its crashes."""

import asyncio
import random
from typing import Any

import pytest

from agentauri.actors import tasks
from agentauri.actors.evaluator import Evaluator
from agentauri.store import firings, partitions, snapshots
from tests.support.path import Gone, Rig, snapshot
from tests.support.rows import feedback, insert_events
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE, end_trigger, make_organization, make_trigger
from tests.support.waiting import eventually


async def scores(rig: Rig, values: list[int], *, start: int = 0, **changes: Any) -> list[Any]:
    """Feedback with these scores, one a block, agents 0 to 4 in turn."""
    rows = [
        feedback(
            start + number, agent_id=(start + number) % 5, data={"score": str(value), "value": str(value)}, **changes
        )
        for number, value in enumerate(values)
    ]
    async with rig.pool.acquire() as connection:
        return await insert_events(connection, rows)


async def three_triggers(rig: Rig) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        await make_trigger(connection, organization, [LOW_SCORE], actions=2)
        await make_trigger(connection, organization, [EMA_LOW])
        await make_trigger(connection, organization, [LOW_SCORE, BURST])


def some_scores(count: int, seed: int = 1) -> list[int]:
    dice = random.Random(seed)
    return [dice.randint(0, 100) for _ in range(count)]


def state_of(evaluator: Evaluator) -> dict[int, Any]:
    return {one.partition: evaluator._engine.dump_partition(one.partition) for one in evaluator._owned}


async def rebuilt_state(rig: Rig) -> dict[int, Any]:
    """State of a fresh evaluator that has neither checkpoints nor snapshots to begin with."""
    async with rig.pool.acquire() as connection:
        await connection.execute("DELETE FROM trigger_state")
    await rig.flush_redis()
    evaluator = await rig.start()
    state = state_of(evaluator)
    await evaluator.drain()
    return state


async def test_matches_become_deliveries_counters_and_a_ring(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, [80, 50, 90, 10])
    evaluator = await rig.served()
    rows = await rig.pool.fetch("SELECT * FROM deliveries ORDER BY event_seq, action_id")
    async with rig.pool.acquire() as connection:
        assert set((await partitions.progress(connection)).values()) == {await rig.head()}
        ledger = await connection.fetch("SELECT fired FROM trigger_ledger ORDER BY fired")
        fired = await connection.fetch("SELECT fired_count FROM triggers ORDER BY fired_count")
    await evaluator.drain()
    assert {row["status"] for row in rows} == {"pending"}
    assert len(rows) == 2 * 2 + 2
    assert [row[0] for row in ledger] == [2, 2]
    assert [row[0] for row in fired] == [0, 2, 2]
    assert rows[0]["context"]["event"]["data"]["score"] == 50
    assert rig.rung


async def test_p14_same_page_twice_enqueues_once(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(30))
    evaluator = await rig.start()
    page = (await rig.reader.page(0)).page  # type: ignore[union-attr]  # there are events
    first = await evaluator.batch(page)
    before = await rig.deliveries(), state_of(evaluator)
    assert await evaluator.batch(page) == first
    assert (await rig.deliveries(), state_of(evaluator)) == before
    await evaluator.drain()


async def test_p11_page_of_an_older_epoch_and_page_with_a_gap_change_nothing(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, [1] * 10)
    evaluator = await rig.start()
    page = (await rig.reader.page(0)).page  # type: ignore[union-attr]  # there are events
    gap = type(page)(5, page.after_seq + 3, page.last_seq, page.count, page.rows)
    assert (await evaluator.batch(gap)).last_seq == 0
    newer = type(page)(6, 0, 0, 0, b"")
    await evaluator.batch(newer)
    assert (await rig.deliveries()) == set()
    await evaluator.drain()


async def undisturbed_queue(rig: Rig) -> set[tuple[str, str, str, str]]:
    """What one evaluator enqueues that meets the whole log from its beginning without a break."""
    await rig.pool.execute("TRUNCATE deliveries, trigger_ledger")
    await rig.pool.execute("UPDATE partitions SET last_seq = 0")
    await rig.pool.execute("DELETE FROM trigger_state")
    rig.read_anew()
    evaluator = await rig.served()
    await evaluator.drain()
    return await rig.deliveries()


async def test_p13_zombie_is_fenced_and_writes_nothing(rig: Rig) -> None:
    await three_triggers(rig)
    zombie = await rig.start()
    successor = await rig.start()
    await scores(rig, [10, 20])
    with pytest.raises(Gone):
        await rig.serve(zombie)
    assert await rig.deliveries() == set()
    await rig.serve(successor)
    assert len(await rig.deliveries()) == 6
    await successor.drain()


async def test_p15_replay_makes_state_and_no_rows(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(60))
    evaluator = await rig.served()
    live = state_of(evaluator)
    await evaluator.drain()
    await rig.pool.execute("TRUNCATE deliveries")
    assert await rebuilt_state(rig) == live
    assert await rig.deliveries() == set()


async def test_p16_redis_flushed_under_a_live_evaluator_loses_no_state(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(60))
    evaluator = await rig.served()
    await evaluator._redis.flushall()
    await scores(rig, [40, 50], start=60)
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await rig.crash(evaluator)
    again = await rig.start()
    assert state_of(again) == live
    await again.drain()


async def test_p07_version_takes_effect_exactly_at_its_place(rig: Rig) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
    before = await scores(rig, [1], start=0)
    async with rig.pool.acquire() as connection:
        trigger = await make_trigger(connection, organization, [LOW_SCORE])
    during = await scores(rig, [1, 2], start=1)
    async with rig.pool.acquire() as connection:
        await end_trigger(connection, trigger)
    after = await scores(rig, [1], start=3)
    evaluator = await rig.served()
    await evaluator.drain()
    fired = {event for _, _, event, _ in await rig.deliveries()}
    assert fired == {str(one) for one in during}
    assert not fired & {str(one) for one in before + after}


async def retract(rig: Rig, first: int, count: int) -> None:
    """Take back the events of blocks ``first`` to ``first + count - 1``, as the indexer does."""
    async with rig.pool.acquire() as connection, connection.transaction():
        blocks = (first, first + count - 1)
        oldest = await connection.fetchval("SELECT min(seq) FROM events WHERE block_number BETWEEN $1 AND $2", *blocks)
        seq = await connection.fetchval(
            """INSERT INTO retractions (seq, chain_id, fork_block, first_retracted_seq, retracted_count)
               VALUES (0, 31337, $1, $2, $3) RETURNING seq""",
            first - 1, oldest, count,
        )  # fmt: skip
        await connection.execute(
            """UPDATE events SET retracted_at = now(), retracted_seq = $3
               WHERE block_number BETWEEN $1 AND $2 AND retracted_at IS NULL""",
            *blocks, seq,
        )  # fmt: skip


@pytest.mark.parametrize("crash", [False, True])
async def test_p18_retraction_leaves_queue_and_state_as_if_the_events_had_never_been(rig: Rig, crash: bool) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(40, 1))
    evaluator = await rig.served()
    await snapshot(evaluator)
    await scores(rig, some_scores(20, 2), start=40)
    await rig.serve(evaluator)
    await retract(rig, 45, 5)
    replaced = await scores(rig, some_scores(5, 3), start=45, block_hash="0xother")
    if crash:
        await rig.crash(evaluator)
        evaluator = await rig.start()
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await evaluator.drain()
    assert await rig.unreconciled() == []
    queue = await rig.deliveries()
    await rig.pool.execute("DELETE FROM events WHERE retracted_at IS NOT NULL")
    await rig.pool.execute("DELETE FROM retractions")
    assert {row for row in queue if row[3] != "cancelled"} == await undisturbed_queue(rig)
    assert any(row[2] in {str(one) for one in replaced} for row in queue)
    assert await rebuilt_state(rig) == live


async def test_p18_delivered_action_gets_a_notice_where_it_asked_for_one(rig: Rig) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        told = {"notify_retraction": True}
        asking = await make_trigger(connection, organization, [LOW_SCORE], action_config=told)
        await make_trigger(connection, organization, [LOW_SCORE])
    await scores(rig, [10, 90])
    evaluator = await rig.served()
    await rig.pool.execute("UPDATE deliveries SET status = 'delivered'")
    await retract(rig, 0, 1)
    await rig.serve(evaluator)
    await evaluator.drain()
    rows = await rig.pool.fetch("SELECT trigger_id, status, type FROM deliveries ORDER BY created_at, type")
    assert [row["type"] for row in rows].count("trigger.fired") == 2
    (notice,) = [row for row in rows if row["type"] == "trigger.retracted"]
    assert (notice["trigger_id"], notice["status"]) == (asking.id, "pending")


async def test_p04_trigger_that_fails_ten_times_is_disabled_and_others_go_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        broken = await make_trigger(connection, organization, [LOW_SCORE])
        sound = await make_trigger(connection, organization, [LOW_SCORE])
    evaluator = await rig.start()
    async with rig.pool.acquire() as connection:
        fault = firings.Failure(broken.id, "ZeroDivisionError: by a test", 10)
        monkeypatch.setattr(evaluator, "_failures", lambda: [fault])
        await scores(rig, [1])
        await rig.serve(evaluator)
        row = await connection.fetchrow("SELECT enabled, disabled_reason FROM triggers WHERE id = $1", broken.id)
    assert row is not None
    assert not row["enabled"]
    assert "ZeroDivisionError" in row["disabled_reason"]
    monkeypatch.undo()
    await scores(rig, [1], start=1)
    await rig.serve(evaluator)
    counts = await rig.pool.fetch("SELECT trigger_id, count(*) FROM deliveries GROUP BY 1")
    await evaluator.drain()
    assert {row[0]: row[1] for row in counts} == {broken.id: 1, sound.id: 2}


async def test_p17_restart_begins_with_the_snapshot_when_redis_is_empty(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(60))
    evaluator = await rig.served()
    live, head = state_of(evaluator), await rig.head()
    await evaluator._redis.flushall()
    await evaluator.drain()
    owned = [one.partition for one in evaluator._owned if live[one.partition]]
    async with rig.pool.acquire() as connection:
        assert set((await snapshots.bases(connection, owned, head, [])).values()) == {head}
    again = await rig.start()
    assert state_of(again) == live
    await again.drain()


async def test_p04_data_nested_beyond_any_encoder_stop_nothing(rig: Rig) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        await make_trigger(connection, organization, [LOW_SCORE])
        deep = "[" * 500 + "]" * 500
        (event,) = await insert_events(connection, [feedback(1, data={"score": "1"})])
        await connection.execute(
            "UPDATE events SET data = data || jsonb_build_object('tag2', $1::text::jsonb) WHERE id = $2", deep, event
        )
    evaluator = await rig.served()
    await evaluator.drain()
    (row,) = await rig.pool.fetch("SELECT context FROM deliveries")
    assert row["context"]["event"]["id"] == str(event)


async def test_p14_progress_that_came_to_nothing_is_stored_soon_and_met_again_after_a_crash(rig: Rig) -> None:
    await three_triggers(rig)
    evaluator = await rig.served()
    await tasks.cancel(*evaluator._tasks)
    quiet = {"registry": "identity", "event_type": "Transfer", "data": {"score": None}}
    async with rig.pool.acquire() as connection:
        await insert_events(connection, [feedback(number, **quiet) for number in range(5)])
    before = await stored_progress(rig)
    await rig.serve(evaluator)
    assert await stored_progress(rig) == before
    await rig.crash(evaluator)
    await scores(rig, [10], start=5)
    again = await rig.served()
    assert len(await rig.deliveries()) == 3
    async with rig.pool.acquire() as connection:
        await insert_events(connection, [feedback(9, **quiet)])
    await rig.serve(again)
    head = await rig.head()

    async def caught_up() -> bool:
        return await stored_progress(rig) == head

    await eventually(caught_up)
    await again.drain()


async def stored_progress(rig: Rig) -> int:
    async with rig.pool.acquire() as connection:
        return min((await partitions.progress(connection)).values())


async def test_drain_in_the_middle_of_storing_progress_waits_for_it(rig: Rig) -> None:
    await three_triggers(rig)
    evaluator = await rig.served()
    await tasks.cancel(*evaluator._tasks)
    quiet = {"registry": "identity", "event_type": "Transfer", "data": {"score": None}}
    async with rig.pool.acquire() as connection:
        await insert_events(connection, [feedback(number, **quiet) for number in range(5)])
    await rig.serve(evaluator)
    async with rig.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM partitions FOR UPDATE")
        evaluator._tasks = [asyncio.create_task(evaluator._flush_loop())]
        await eventually(lambda: evaluator._lock.locked())
        draining = asyncio.create_task(evaluator.drain())
        await asyncio.sleep(0)
    await asyncio.wait_for(draining, 10)
    assert await stored_progress(rig) == await rig.head()
