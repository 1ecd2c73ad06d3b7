"""What is counted beside the queue: each firing once, by the day of its event, whatever a reorganisation does to it."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.store import partitions
from tests.integration.actors.test_absences import SILENT_MINUTE, set_clock, watched
from tests.integration.actors.test_evaluator import retract, scores
from tests.support.path import Gone, Rig
from tests.support.rows import BLOCK_TIME
from tests.support.triggers import LOW_SCORE, make_organization, make_trigger

TURNS_LOW = {
    "condition_type": "change", "field": "score", "operator": "crosses_below", "value": 50,
    "config": {"group_by": "none"},
}  # fmt: skip
DAY_SECONDS = 86_400
MIDNIGHT = DAY_SECONDS - BLOCK_TIME % DAY_SECONDS
"""Seconds from block 0 to the end of its day."""


async def make(rig: Rig, condition: dict[str, Any], **fields: Any) -> UUID:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        return (await make_trigger(connection, organization, [condition], actions=2, **fields)).id


async def counts(rig: Rig) -> list[tuple[int, int]]:
    """(matched, fired) by day, and at last the trigger's total twice."""
    rows = await rig.pool.fetch("SELECT matched, fired FROM trigger_ledger ORDER BY day")
    total = await rig.pool.fetchval("SELECT fired_count FROM triggers")
    return [*map(tuple, rows), (total, total)]


async def test_p18_event_that_fires_only_without_the_retracted_one_is_counted_with_its_deliveries(rig: Rig) -> None:
    await make(rig, TURNS_LOW)
    await scores(rig, [90, 40, 30])
    evaluator = await watched(rig)
    assert await counts(rig) == [(1, 1), (1, 1)]
    await retract(rig, 1, 1)
    await rig.serve(evaluator)
    assert await counts(rig) == [(2, 2), (2, 2)]
    assert sorted(status for *_, status in await rig.deliveries()) == ["cancelled"] * 2 + ["pending"] * 2
    assert await rig.unreconciled() == []


@pytest.mark.parametrize("after", [False, True])
async def test_p14_crash_in_a_retraction_s_commit_counts_once(
    rig: Rig, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(rig, TURNS_LOW)
    await scores(rig, [90, 40, 30])
    evaluator = await watched(rig)
    await retract(rig, 1, 1)

    async def crash(*_: Any, **__: Any) -> Any:
        raise Gone

    with monkeypatch.context() as patch:
        patch.setattr(evaluator._keeper if after else partitions, "checkpoint_whole" if after else "advance", crash)
        with pytest.raises(Gone):
            await rig.serve(evaluator)
    await rig.crash(evaluator)
    await watched(rig)
    assert await counts(rig) == [(2, 2), (2, 2)]
    assert await rig.unreconciled() == []


async def test_p18_event_that_was_adopted_again_under_another_id_is_another_firing(rig: Rig) -> None:
    await make(rig, LOW_SCORE)
    await scores(rig, [10])
    evaluator = await watched(rig)
    await retract(rig, 0, 1)
    await scores(rig, [10], block_hash="0xother")
    await rig.serve(evaluator)
    assert await counts(rig) == [(2, 2), (2, 2)]
    assert await rig.unreconciled() == []


async def test_p18_absence_that_was_taken_back_and_told_again_is_one_firing(rig: Rig) -> None:
    await make(rig, SILENT_MINUTE)
    await scores(rig, [50])
    await scores(rig, [50], start=70)
    evaluator = await watched(rig)
    await retract(rig, 70, 1)
    await rig.serve(evaluator)
    await set_clock(rig, 60)
    await rig.serve_clocks(evaluator)
    assert await counts(rig) == [(1, 1), (1, 1)]
    assert {status for *_, status in await rig.deliveries()} == {"pending"}
    assert await rig.unreconciled() == []


async def test_p20_silence_past_midnight_is_counted_on_the_day_of_its_deliveries(rig: Rig) -> None:
    await make(rig, SILENT_MINUTE)
    await scores(rig, [50], start=MIDNIGHT - 30)
    evaluator = await watched(rig)
    await set_clock(rig, MIDNIGHT + 30)
    await rig.serve_clocks(evaluator)
    row = await rig.pool.fetchrow("SELECT last_fired_at FROM triggers")
    assert row is not None
    assert row["last_fired_at"].timestamp() == BLOCK_TIME + MIDNIGHT + 30
    assert await rig.unreconciled() == []
