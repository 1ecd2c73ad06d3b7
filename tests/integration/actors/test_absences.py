"""Absences on real stores: told by events or by the chain's clock, once, through crashes, clocks and forks."""

from typing import Any

import pytest

from agentauri.actors.evaluator import Evaluator
from agentauri.models.ids import ActionId, EventId, TriggerId, absence_id
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import firings, partition_clocks
from tests.integration.actors.test_evaluator import rebuilt_state, retract, scores, state_of
from tests.support.path import Gone, Rig
from tests.support.rows import BLOCK_TIME
from tests.support.triggers import make_organization, make_trigger

SILENT_MINUTE = {"condition_type": "absence", "config": {"time_window": "1m", "group_by": "none"}}
CHAIN = 31337


async def watch(rig: Rig, **fields: Any) -> TriggerDefinition:
    async with rig.pool.acquire() as connection:
        return await make_trigger(connection, await make_organization(connection), [SILENT_MINUTE], **fields)


async def set_clock(rig: Rig, time: int, *, seq: int | None = None) -> None:
    """The indexer has stored everything of the chain up to ``time``, seconds after block 0."""
    await rig.pool.execute(
        """INSERT INTO chains (chain_id, name, block_number, confirmed_time, confirmed_seq)
           VALUES ($1, 'local', 0, to_timestamp($2), $3) ON CONFLICT (chain_id) DO UPDATE
           SET confirmed_time = excluded.confirmed_time, confirmed_seq = excluded.confirmed_seq""",
        CHAIN, BLOCK_TIME + time, await rig.head() if seq is None else seq,
    )  # fmt: skip


async def told(rig: Rig) -> list[tuple[str, str]]:
    """(event, status) of every delivery."""
    return sorted((event, status) for _, _, event, status in await rig.deliveries())


async def fired_count(rig: Rig) -> int:
    count: int = await rig.pool.fetchval("SELECT fired_count FROM triggers")
    return count


async def watched(rig: Rig) -> Evaluator:
    evaluator = await rig.start()
    await rig.serve(evaluator)
    return evaluator


async def test_p20_clock_tells_an_absence_once_under_the_id_of_its_last_event(rig: Rig) -> None:
    trigger = await watch(rig)
    last = (await scores(rig, [50, 50]))[-1]
    evaluator = await watched(rig)
    await set_clock(rig, 60)
    await rig.serve_clocks(evaluator)
    assert await told(rig) == []
    for time in (61, 61, 500):
        await set_clock(rig, time)
        await rig.serve_clocks(evaluator)
    (row,) = await rig.pool.fetch("SELECT id, event_id, context FROM deliveries")
    ids = TriggerId(trigger.id), ActionId(trigger.actions[0].id), EventId(last)
    assert (row["id"], row["event_id"]) == (absence_id(*ids), last)
    assert row["context"]["event"]["id"] == str(last)
    assert row["context"]["computed"]["0"]["since"] == row["context"]["event"]["block_timestamp"]
    assert await fired_count(rig) == 1


async def test_p20_event_of_the_chain_tells_what_was_due_before_it(rig: Rig) -> None:
    await watch(rig)
    (last,) = await scores(rig, [50])
    await scores(rig, [50], start=60)
    evaluator = await watched(rig)
    assert await told(rig) == [(str(last), "pending")]
    await set_clock(rig, 60)
    await rig.serve_clocks(evaluator)
    assert await fired_count(rig) == 1


async def test_p12_clock_whose_seq_is_not_reached_tells_nothing(rig: Rig) -> None:
    await watch(rig)
    await scores(rig, [50])
    evaluator = await watched(rig)
    await set_clock(rig, 500, seq=await rig.head() + 1)
    await rig.serve_clocks(evaluator)
    assert await told(rig) == []


@pytest.mark.parametrize("place", ["commit", "keep", "checkpoint"])
async def test_p15_crash_while_a_clock_is_met_tells_once(rig: Rig, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await watch(rig, cooldown_seconds=10)
    await scores(rig, [50])
    evaluator = await watched(rig)
    await evaluator._redis.flushall()
    await set_clock(rig, 500)

    async def crash(*_: Any, **__: Any) -> Any:
        raise Gone

    owner: Any = {"commit": firings, "keep": partition_clocks, "checkpoint": evaluator._keeper}[place]
    with monkeypatch.context() as patch:
        patch.setattr(owner, place, crash)
        with pytest.raises(Gone):
            await rig.serve_clocks(evaluator)
    await rig.crash(evaluator)
    again = await watched(rig)
    await rig.serve_clocks(again)
    await rig.serve_clocks(again)
    assert (len(await told(rig)), await fired_count(rig)) == (1, 1)
    live = state_of(again)
    await again.drain()
    assert await rebuilt_state(rig) == live


async def test_p15_answer_of_a_clock_s_commit_that_was_lost_counts_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watch(rig)
    await scores(rig, [50])
    evaluator = await watched(rig)
    await set_clock(rig, 500)
    real, failed = partition_clocks.are_kept, []

    async def lost(connection: Any, *rest: Any, **more: Any) -> bool:
        failed.append(1)
        return await real(connection, *rest, **more)

    commit = evaluator._commit

    async def once(behind: Any, last_seq: int, write: Any, done: Any = None) -> set[str]:
        async def written(connection: Any) -> set[str]:
            await write(connection)
            raise OSError("by a test: the connection broke after the commit")

        return await commit(behind, last_seq, written, done)

    monkeypatch.setattr(partition_clocks, "are_kept", lost)
    monkeypatch.setattr(evaluator, "_commit", once)
    await rig.serve_clocks(evaluator)
    assert (len(failed), await fired_count(rig)) == (1, 1)


async def test_p18_clock_of_an_abandoned_fork_tells_nothing(rig: Rig) -> None:
    await watch(rig)
    await scores(rig, [50] * 3)
    evaluator = await watched(rig)
    await set_clock(rig, 500)
    await retract(rig, 2, 1)
    await rig.serve(evaluator)
    await rig.serve_clocks(evaluator)
    assert await told(rig) == []
