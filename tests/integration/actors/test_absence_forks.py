"""Absences and reorganisations: what was told stands until the fork shows that there was no absence (protocol P18)."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.actors.evaluator import Evaluator
from agentauri.models.ids import DeliveryId, retraction_notice_id
from tests.integration.actors.test_absences import fired_count, set_clock, told, watch, watched
from tests.integration.actors.test_evaluator import rebuilt_state, retract, scores, state_of
from tests.support.path import Rig

ASKING = {"action_config": {"notify_retraction": True}}


async def restarted(rig: Rig, evaluator: Evaluator) -> Evaluator:
    """All that the evaluator had in memory and in Redis is gone."""
    await rig.crash(evaluator)
    await rig.flush_redis()
    return await watched(rig)


async def meet(rig: Rig, evaluator: Evaluator, *, clock: int | None = None, block: int | None = None) -> None:
    """The chain comes to a time, or brings an event in a block (one every second)."""
    if block is not None:
        await scores(rig, [50], start=block)
        await rig.serve(evaluator)
    if clock is not None:
        await set_clock(rig, clock)
        await rig.serve_clocks(evaluator)


async def fork(rig: Rig, evaluator: Evaluator, first: int) -> None:
    """The chain leaves its blocks from ``first`` on."""
    await retract(rig, first, 1_000)
    await rig.serve(evaluator)


async def told_by_a_fork(rig: Rig, **fields: Any) -> tuple[Evaluator, UUID]:
    """An absence of a minute after block 0 was told by an event of block 70, which is no more."""
    await watch(rig, **fields)
    (last,) = await scores(rig, [50])
    evaluator = await watched(rig)
    await meet(rig, evaluator, block=70)
    assert await told(rig) == [(str(last), "pending")]
    await rig.pool.execute("UPDATE deliveries SET status = $1", fields.pop("status", "pending"))
    await fork(rig, evaluator, 70)
    return evaluator, last


async def delivery(rig: Rig, status: str | None = None) -> Any:
    """The one delivery of an absence, or its notice; with a status: made so first."""
    (row,) = await rig.pool.fetch("SELECT * FROM deliveries WHERE type = 'trigger.fired'")
    if status is not None:
        await rig.pool.execute("UPDATE deliveries SET status = $2 WHERE id = $1", row["id"], status)
    return row


async def notice(rig: Rig) -> Any:
    id = retraction_notice_id(DeliveryId((await delivery(rig))["id"]))
    return await rig.pool.fetchrow("SELECT * FROM deliveries WHERE id = $1", id)


@pytest.mark.parametrize("crash", [False, True])
async def test_absence_stands_that_only_retracted_events_told(rig: Rig, crash: bool) -> None:
    evaluator, last = await told_by_a_fork(rig)
    evaluator = await restarted(rig, evaluator) if crash else evaluator
    await meet(rig, evaluator, clock=59)
    await meet(rig, evaluator, clock=60)
    assert (await told(rig), await fired_count(rig)) == ([(str(last), "pending")], 1)


async def test_absence_stands_that_a_clock_told_when_the_chain_forks_after_it(rig: Rig) -> None:
    await watch(rig)
    last = (await scores(rig, [50] * 3))[-1]
    evaluator = await watched(rig)
    await meet(rig, evaluator, clock=100)
    await meet(rig, evaluator, block=100)
    await fork(rig, evaluator, 100)
    await meet(rig, evaluator, clock=110)
    assert (await told(rig), await fired_count(rig)) == ([(str(last), "pending")], 1)


@pytest.mark.parametrize("crash", [False, True])
async def test_absence_is_taken_back_when_the_fork_brings_an_event_from_before_it_was_due(
    rig: Rig, crash: bool
) -> None:
    evaluator, _ = await told_by_a_fork(rig)
    evaluator = await restarted(rig, evaluator) if crash else evaluator
    await meet(rig, evaluator, block=59)
    row = await delivery(rig)
    assert (row["status"], row["status_code"], row["retracted"]) == ("cancelled", "event_retracted", True)
    assert "before the absence was due" in row["status_reason"]
    live = state_of(evaluator)
    await evaluator.drain()
    assert await rebuilt_state(rig) == live


async def test_event_at_the_time_when_the_absence_was_due_leaves_it_told(rig: Rig) -> None:
    evaluator, last = await told_by_a_fork(rig)
    await meet(rig, evaluator, block=60)
    assert await told(rig) == [(str(last), "pending")]


async def test_absence_that_a_clock_told_is_taken_back_by_a_fork_that_took_no_event(rig: Rig) -> None:
    await watch(rig)
    (last,) = await scores(rig, [50])
    evaluator = await watched(rig)
    await meet(rig, evaluator, clock=100)
    await set_clock(rig, 20)
    await meet(rig, evaluator, block=30)
    assert await told(rig) == [(str(last), "cancelled")]


@pytest.mark.parametrize("crash", [False, True])
async def test_clock_of_a_left_fork_tells_nothing_of_later_events(rig: Rig, crash: bool) -> None:
    await watch(rig)
    await scores(rig, [50])
    evaluator = await watched(rig)
    await meet(rig, evaluator, clock=100)
    await set_clock(rig, 20)
    await meet(rig, evaluator, block=30)
    evaluator = await restarted(rig, evaluator) if crash else evaluator
    later = (await told(rig))[0][0]
    await meet(rig, evaluator, clock=90)
    assert sorted(status for _, status in await told(rig)) == ["cancelled", "pending"]
    assert dict(await told(rig))[later] == "cancelled"


async def test_cool_down_is_given_back_with_an_absence_that_was_none(rig: Rig) -> None:
    evaluator, _ = await told_by_a_fork(rig, cooldown_seconds=100)
    await meet(rig, evaluator, block=40)
    await meet(rig, evaluator, clock=100)
    assert sorted(status for _, status in await told(rig)) == ["cancelled", "pending"]


async def test_receiver_of_an_absence_is_told_only_when_it_was_none(rig: Rig) -> None:
    evaluator, _ = await told_by_a_fork(rig, status="delivered", **ASKING)
    assert (await notice(rig), (await delivery(rig))["retracted"]) == (None, False)
    await meet(rig, evaluator, block=59)
    assert (await notice(rig))["status"] == "pending"
    row = await delivery(rig)
    assert (row["status"], row["retracted"]) == ("delivered", True)


async def holds_again(rig: Rig, *, first: str, told: str) -> Evaluator:
    """An absence was delivered and taken back; a second fork takes what had spoken against it; its time comes."""
    evaluator, _ = await told_by_a_fork(rig, status=first, **ASKING)
    await meet(rig, evaluator, block=59)
    await rig.pool.execute("UPDATE deliveries SET status = $1 WHERE type = 'trigger.retracted'", told)
    await fork(rig, evaluator, 59)
    await meet(rig, evaluator, clock=60)
    return evaluator


async def test_absence_that_holds_again_is_not_sent_again_where_the_notice_had_not_gone_out(rig: Rig) -> None:
    await holds_again(rig, first="delivered", told="pending")
    row, taken = await delivery(rig), await notice(rig)
    assert (row["status"], row["retracted"]) == ("delivered", False)
    assert (taken["status"], taken["status_code"]) == ("cancelled", "holds_again")


async def test_absence_that_holds_again_is_sent_again_where_its_receiver_had_the_notice(rig: Rig) -> None:
    evaluator = await holds_again(rig, first="delivered", told="delivered")
    row = await delivery(rig)
    assert (row["status"], row["retracted"]) == ("pending", False)
    await delivery(rig, "delivered")
    await meet(rig, evaluator, block=50)
    assert (await notice(rig))["status"] == "pending"


async def test_absence_that_was_never_sent_goes_on_when_it_holds_again(rig: Rig) -> None:
    evaluator = await holds_again(rig, first="pending", told="pending")
    row = await delivery(rig)
    assert (row["status"], row["status_code"], await fired_count(rig)) == ("pending", None, 1)
    await fork(rig, evaluator, 1)
    assert (await delivery(rig))["status"] == "pending"


async def test_p24_absence_under_way_is_flagged_when_it_was_none_and_unflagged_when_it_holds_again(rig: Rig) -> None:
    evaluator, _ = await told_by_a_fork(rig, status="delivering", **ASKING)
    await meet(rig, evaluator, block=59)
    assert (await delivery(rig))["retracted"]
    await fork(rig, evaluator, 59)
    await meet(rig, evaluator, clock=60)
    row = await delivery(rig)
    assert (row["status"], row["retracted"], await notice(rig)) == ("delivering", False, None)
