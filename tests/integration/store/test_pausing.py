"""A paused organization: what waits is held, nothing is sent, and it goes on where it was (protocol P19)."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.models.delivery import Attempt, Destination, Judgement, Outcome, Result
from agentauri.store import attempts, claims, pausing
from tests.support.queue import URL, Queue, claim, make_queue


async def pause(db: Any, queue: Queue, paused: bool = True) -> None:
    sql = "UPDATE organizations SET paused_at = CASE WHEN $2 THEN now() END WHERE id = $1"
    await db.execute(sql, queue.organization, paused)


async def statuses(db: Any) -> list[tuple[str, str | None]]:
    rows = await db.fetch("SELECT status, status_code FROM deliveries ORDER BY status, status_code")
    return [tuple(row) for row in rows]


HELD = ("held", "organization_paused")


async def test_p19_row_made_while_paused_is_held_and_says_why(db: Any, queue: Queue) -> None:
    await pause(db, queue)
    (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL))
    assert await statuses(db) == [HELD]
    reason = await db.fetchval("SELECT status_reason FROM deliveries WHERE id = $1", id_)
    assert reason == "The organization is paused."


async def test_p19_row_of_a_disabled_action_keeps_that_reason(db: Any, queue: Queue) -> None:
    action = await queue.add_action(db, URL)
    await db.execute("UPDATE trigger_actions SET enabled = false, disabled_by = 'system'")
    await pause(db, queue)
    await queue.add_deliveries(db, action)
    assert await statuses(db) == [("held", "action_disabled")]


async def test_row_whose_maker_did_not_see_the_pause_is_held_by_the_claim(
    db: Any, queue: Queue, token: UUID, database: str
) -> None:
    action = await queue.add_action(db, URL)
    evaluator = await claims.connect(database, name="evaluator")
    async with evaluator.transaction():
        await queue.add_deliveries(evaluator, action)
        await pause(db, queue)
        assert await pausing.hold_waiting(db, queue.organization) == 0
    await evaluator.close()
    assert await statuses(db) == [("pending", None)]
    assert await claim(db, queue, token) == []
    assert await statuses(db) == [HELD]
    assert await db.fetchval("SELECT count(*) FROM delivery_attempts") == 0


async def test_pausing_does_not_wait_for_whoever_inserts_deliveries(db: Any, queue: Queue, database: str) -> None:
    action = await queue.add_action(db, URL)
    evaluator = await claims.connect(database, name="evaluator")
    async with evaluator.transaction():
        await queue.add_deliveries(evaluator, action)
        await db.execute("SET lock_timeout = '1s'")
        await pause(db, queue)
    await evaluator.close()


async def test_waiting_rows_are_held_and_others_stay(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    await queue.add_deliveries(db, action, 4)
    (under_way,) = await claim(db, queue, token, 1)
    await db.execute("UPDATE deliveries SET status = 'dead' WHERE id = (SELECT min(id::text)::uuid FROM deliveries"
                     " WHERE status = 'pending')")  # fmt: skip
    other = await make_queue(db)
    await other.add_deliveries(db, await other.add_action(db, "https://hooks.example.com:8443/b"))
    await pause(db, queue)
    assert await pausing.hold_waiting(db, queue.organization) == 2
    assert await statuses(db) == [("dead", None), ("delivering", None), HELD, HELD, ("pending", None)]
    assert [one.organization_id for one in await claim(db, queue, token)] == [other.organization]
    assert under_way.organization_id == queue.organization


async def test_waiting_rows_are_held_in_batches(db: Any, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pausing, "BATCH_ROWS", 3)
    await queue.add_deliveries(db, await queue.add_action(db, URL), 5)
    await pause(db, queue)
    assert [await pausing.hold_waiting(db, queue.organization) for _ in range(3)] == [3, 2, 0]
    await pause(db, queue, False)
    assert [await pausing.release_paused(db, queue.organization) for _ in range(3)] == [3, 2, 0]


@pytest.mark.parametrize(
    ("outcome", "judgement", "wait", "left"),
    [
        (Outcome.HTTP, Judgement.RETRY, 60.0, HELD),
        (Outcome.SUCCESS, Judgement.DELIVERED, None, ("delivered", None)),
        (Outcome.HTTP, Judgement.FINAL, None, ("dead", "failed_finally")),
    ],
)
async def test_attempt_under_way_ends_as_it_does_and_only_its_retry_is_held(
    db: Any, queue: Queue, token: UUID, outcome: Outcome, judgement: Judgement, wait: float | None,
    left: tuple[str, str | None],
) -> None:  # fmt: skip
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    (one,) = await claim(db, queue, token)
    await pause(db, queue)
    await attempts.record(db, [Result(one, Attempt(outcome, 0.25, error_message="no"), judgement, wait)])
    assert await statuses(db) == [left]


async def test_row_whose_lease_ends_in_a_pause_is_not_sent_again(db: Any, queue: Queue, token: UUID) -> None:
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    assert len(await claim(db, queue, token)) == 1
    await pause(db, queue)
    await db.execute("UPDATE deliveries SET lease_until = now() - interval '1 s'")
    await claims.expire(db)
    assert await claim(db, queue, token) == []
    assert await statuses(db) == [HELD]


async def test_resuming_goes_on_in_the_old_order_and_schedule(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    first, second = await queue.add_deliveries(db, action), await queue.add_deliveries(db, action)
    (one,) = await claim(db, queue, token, 1)
    await attempts.record(db, [Result(one, Attempt(Outcome.HTTP, 0.1), Judgement.RETRY, 600.0)])
    due = dict(await db.fetch("SELECT id, next_attempt_at FROM deliveries"))
    await pause(db, queue)
    assert await pausing.hold_waiting(db, queue.organization) == 2
    await pause(db, queue, False)
    assert await pausing.release_paused(db, queue.organization) == 2
    assert dict(await db.fetch("SELECT id, next_attempt_at FROM deliveries")) == due
    assert await statuses(db) == [("pending", None), ("retrying", None)]
    assert [one.id for one in await claim(db, queue, token)] == second
    assert first != second


async def test_resuming_leaves_to_the_claim_what_was_disabled_meanwhile(db: Any, queue: Queue, token: UUID) -> None:
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    await pause(db, queue)
    await pausing.hold_waiting(db, queue.organization)
    await db.execute("UPDATE trigger_actions SET enabled = false, disabled_by = 'system'")
    await pause(db, queue, False)
    await pausing.release_paused(db, queue.organization)
    assert await claim(db, queue, token) == []
    assert await statuses(db) == [("held", "action_disabled")]


async def test_resuming_sends_to_where_the_action_points_now(db: Any, queue: Queue) -> None:
    action = await queue.add_action(db, URL)
    await queue.add_deliveries(db, action)
    await pause(db, queue)
    await pausing.hold_waiting(db, queue.organization)
    await db.execute("UPDATE trigger_actions SET lane = 'host:new', destination = 'new' WHERE id = $1", action)
    await pause(db, queue, False)
    await pausing.release_paused(db, queue.organization)
    assert [one.destination for one in await claims.discover(db, ["host:new"])] == [Destination("host:new", "new")]


async def test_nothing_is_released_while_paused_nor_held_while_not(db: Any, queue: Queue) -> None:
    action = await queue.add_action(db, URL)
    await pause(db, queue)
    await queue.add_deliveries(db, action)
    assert await pausing.release_paused(db, queue.organization) == 0
    assert await pausing.release_stranded(db) == 0
    await pause(db, queue, False)
    assert await pausing.hold_waiting(db, queue.organization) == 0


async def test_row_held_beside_the_resuming_is_released_later(db: Any, queue: Queue) -> None:
    action = await queue.add_action(db, URL)
    await pause(db, queue)
    await queue.add_deliveries(db, action)
    await pause(db, queue, False)
    assert await pausing.release_stranded(db) == 1
    assert await statuses(db) == [("pending", None)]
