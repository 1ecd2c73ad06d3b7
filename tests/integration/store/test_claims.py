"""Claims, leases and results as rows (protocol P21–P25)."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.models.delivery import Attempt, Claimed, Destination, Judgement, Outcome, Result
from agentauri.models.ids import DeliveryId, retraction_notice_id
from agentauri.store import attempts, claims, deliveries, retractions
from tests.support.queue import LANE, URL, Queue, claim, make_queue


def result(one: Claimed, outcome: Outcome, judgement: Judgement, wait: float | None = None, **more: Any) -> Result:
    return Result(one, Attempt(outcome, 0.25, **more), judgement, wait)


SUCCESS = (Outcome.SUCCESS, Judgement.DELIVERED)
FAILURE = (Outcome.HTTP, Judgement.RETRY)


async def status(db: Any, id: UUID) -> str:
    return str(await db.fetchval("SELECT status FROM deliveries WHERE id = $1", id))


async def expire_now(db: Any) -> None:
    await db.execute("UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE status = 'delivering'")


async def test_p21_claim_leaves_attempt_lease_and_count(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL, headers={"Authorization": "Bearer s3cr3t"}, timeout_seconds=20)
    (id_,) = await queue.add_deliveries(db, action)
    (one,) = await claim(db, queue, token)
    assert (one.id, one.attempt, one.turn, one.secrets) == (id_, 1, 1, (queue.secret,))
    assert one.config["headers"]["Authorization"] == "Bearer s3cr3t"
    row = await db.fetchrow(
        """SELECT status, attempt_count, d.lease_token, lease_until - now() AS left, t.number, t.outcome
           FROM deliveries AS d JOIN delivery_attempts AS t ON t.delivery_id = d.id"""
    )
    assert (row["status"], row["attempt_count"], row["number"], row["outcome"]) == ("delivering", 1, 1, None)
    assert row["lease_token"] == one.lease_token
    assert 24 < row["left"].total_seconds() <= 25


async def test_p21_row_is_claimed_once(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    await queue.add_deliveries(db, action, 5)
    wanted = [(one.destination, 3) for one in await claims.discover(db, [LANE])]
    first = await claims.claim(db, queue.vault, token, wanted)
    second = await claims.claim(db, queue.vault, token, wanted)
    assert len({one.id for one in (*first.deliveries, *second.deliveries)}) == 5


async def test_p23_claim_in_a_lane_of_another_takes_nothing(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    await queue.add_deliveries(db, action)
    assert await claim(db, queue, uuid4()) == []
    await db.execute("UPDATE lanes SET lease_until = now() - interval '1 s'")
    assert await claim(db, queue, token) == []


async def test_p23_claim_moves_rows_of_an_edited_action_instead_of_sending(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    (id_,) = await queue.add_deliveries(db, action)
    await db.execute("UPDATE trigger_actions SET lane = 'host:new', destination = 'new' WHERE id = $1", action)
    (due,) = await claims.discover(db, [LANE])
    moved = await claims.claim(db, queue.vault, token, [(due.destination, 1)])
    assert not moved.deliveries
    assert moved.moved_to == {"host:new"}
    assert await status(db, id_) == "pending"
    assert [one.destination for one in await claims.discover(db, ["host:new"])] == [Destination("host:new", "new")]


async def test_rows_of_disabled_and_deleted_actions_are_settled(db: Any, queue: Queue, token: UUID) -> None:
    off, gone = await queue.add_action(db, URL), await queue.add_action(db, URL)
    (held,), (cancelled,) = await queue.add_deliveries(db, off), await queue.add_deliveries(db, gone)
    await db.execute("UPDATE trigger_actions SET enabled = false, disabled_by = 'system' WHERE id = $1", off)
    await db.execute("DELETE FROM trigger_actions WHERE id = $1", gone)
    assert await claim(db, queue, token) == []
    assert (await status(db, held), await status(db, cancelled)) == ("held", "cancelled")
    await db.execute("UPDATE trigger_actions SET enabled = true, disabled_by = NULL WHERE id = $1", off)
    assert await deliveries.release_held(db, queue.organization, off) == {LANE}
    assert await status(db, held) == "pending"


async def test_deleted_webhook_secret_signs_no_more_at_once(db: Any, queue: Queue, token: UUID) -> None:
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    await db.execute("DELETE FROM webhook_secrets")
    (one,) = await claim(db, queue, token)
    assert one.secrets == ()


async def test_secret_that_does_not_open_is_a_fault_of_that_row_alone(db: Any, queue: Queue, token: UUID) -> None:
    broken = await queue.add_action(db, URL, headers={"Authorization": "x"})
    await queue.add_deliveries(db, broken)
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    await db.execute(
        "UPDATE trigger_actions SET config = jsonb_set(config, '{headers,Authorization}', '\"AAAA\"') WHERE id = $1",
        broken,
    )
    assert sorted(one.fault is None for one in await claim(db, queue, token)) == [False, True]


async def test_discovery_sees_the_head_of_each_destination(db: Any, queue: Queue) -> None:
    action = await queue.add_action(db, URL, rate_limit_per_second=3)
    await queue.add_deliveries(db, action, 3)
    other = await make_queue(db)
    late = await other.add_action(db, "https://hooks.example.com:8443/b")
    await other.add_deliveries(db, late, 2)
    await db.execute("UPDATE deliveries SET next_attempt_at = now() + interval '1 h' WHERE action_id = $1", late)
    found = {one.organization_id: one for one in await claims.discover(db, [LANE, "host:none"])}
    assert (found[queue.organization].rate, found[queue.organization].wait_seconds <= 0) == (3.0, True)
    assert 3590 < found[other.organization].wait_seconds <= 3600


async def test_p21_result_counts_only_with_its_lease(db: Any, queue: Queue, token: UUID) -> None:
    (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL))
    (zombie,) = await claim(db, queue, token)
    await expire_now(db)
    assert (await claims.expire(db)).lanes == {LANE}
    (heir,) = await claim(db, queue, token)
    recorded = await attempts.record(db, [result(zombie, *FAILURE, wait=9.0, error_message="late")])
    assert recorded.statuses == {}
    assert await status(db, id_) == "delivering"
    assert (await attempts.record(db, [result(heir, *FAILURE, wait=9.0)])).statuses == {id_: "retrying"}
    noted = [tuple(row) for row in await db.fetch("SELECT number, outcome FROM delivery_attempts ORDER BY number")]
    assert noted == [(1, "http"), (2, "http")]


async def test_p21_success_always_counts(db: Any, queue: Queue, token: UUID) -> None:
    (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL))
    (zombie,) = await claim(db, queue, token)
    await expire_now(db)
    await claims.expire(db)
    (heir,) = await claim(db, queue, token)
    await attempts.record(db, [result(zombie, *SUCCESS)])
    assert await status(db, id_) == "delivered"
    await attempts.record(db, [result(heir, *FAILURE, wait=9.0)])
    assert await status(db, id_) == "delivered"


async def test_p21_payload_that_kills_its_process_runs_out_of_attempts(db: Any, queue: Queue, token: UUID) -> None:
    (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL, retry=[0, 60, 60]))
    for left in ("retrying", "retrying", "dead"):
        assert len(await claim(db, queue, token)) == 1
        await expire_now(db)
        await claims.expire(db)
        assert await status(db, id_) == left
    noted = await db.fetch("SELECT outcome, error_class FROM delivery_attempts")
    assert {tuple(row) for row in noted} == {("timeout", "LeaseExpired")}


async def test_spent_and_final_failures_are_dead_with_the_reason(db: Any, queue: Queue, token: UUID) -> None:
    ids = await queue.add_deliveries(db, await queue.add_action(db, URL), 2)
    one, two = await claim(db, queue, token)
    said: dict[str, Any] = {"http_status": 404, "error_message": "The receiver answered 404."}
    await attempts.record(db, [result(one, *FAILURE), result(two, Outcome.HTTP, Judgement.FINAL, **said)])
    rows = {row["id"]: row for row in await db.fetch("SELECT * FROM deliveries WHERE id = ANY($1)", ids)}
    assert (rows[one.id]["status"], rows[one.id]["status_code"]) == ("dead", "attempts_spent")
    assert (rows[two.id]["status_code"], rows[two.id]["status_reason"]) == ("failed_finally", said["error_message"])


async def test_410_disables_the_action_and_says_why(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    await queue.add_deliveries(db, action)
    (one,) = await claim(db, queue, token)
    await attempts.record(db, [result(one, Outcome.HTTP, Judgement.GONE, http_status=410)])
    row = await db.fetchrow("SELECT enabled, disabled_by, disabled_reason FROM trigger_actions WHERE id = $1", action)
    assert (row["enabled"], row["disabled_by"]) == (False, "system")
    assert "410" in row["disabled_reason"]


@pytest.mark.parametrize(
    ("outcome", "judgement", "sent", "left", "noticed"),
    [
        (Outcome.SUCCESS, Judgement.DELIVERED, True, "delivered", True),
        (Outcome.TIMEOUT, Judgement.RETRY, True, "cancelled", True),
        (Outcome.TIMEOUT, Judgement.RETRY, False, "cancelled", False),
        (Outcome.HTTP, Judgement.RETRY, True, "cancelled", False),
    ],
)
async def test_p24_retraction_while_sending(
    db: Any, queue: Queue, token: UUID, outcome: Outcome, judgement: Judgement, sent: bool, left: str, noticed: bool
) -> None:
    (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL, notify_retraction=True))
    (one,) = await claim(db, queue, token)
    await db.execute("UPDATE deliveries SET retracted = true")
    wait = 5.0 if judgement is Judgement.RETRY else None
    recorded = await attempts.record(db, [result(one, outcome, judgement, wait, sent=sent)])
    assert await status(db, id_) == left
    notice = await db.fetchrow("SELECT * FROM deliveries WHERE type = 'trigger.retracted'")
    assert (notice is not None) is noticed
    if notice is not None:
        assert notice["id"] == retraction_notice_id(DeliveryId(id_))
        assert notice["context"]["first_delivery_id"] == str(id_)
        assert recorded.lanes == {LANE}


async def test_p24_lease_that_ends_on_a_retracted_row_cancels_it_with_a_notice(
    db: Any, queue: Queue, token: UUID
) -> None:
    (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL, notify_retraction=True))
    await claim(db, queue, token)
    await db.execute("UPDATE deliveries SET retracted = true")
    await expire_now(db)
    expired = await claims.expire(db)
    assert await retractions.insert_notices(db, expired.retracted) == {LANE}
    assert await status(db, id_) == "cancelled"


async def test_p25_replay_goes_on_counting_and_starts_the_schedule_afresh(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    (id_,) = await queue.add_deliveries(db, action)
    (one,) = await claim(db, queue, token)
    await attempts.record(db, [result(one, *FAILURE)])
    assert await deliveries.replay(db, queue.organization, [id_]) == ({id_}, {LANE})
    (again,) = await claim(db, queue, token)
    assert (again.attempt, again.turn) == (2, 1)


async def test_p25_replay_is_refused_when_the_action_is_gone(db: Any, queue: Queue, token: UUID) -> None:
    action = await queue.add_action(db, URL)
    (id_,) = await queue.add_deliveries(db, action)
    await db.execute("UPDATE deliveries SET status = 'dead'")
    assert await deliveries.replay(db, uuid4(), [id_]) == (set(), set())
    await db.execute("DELETE FROM trigger_actions WHERE id = $1", action)
    assert await deliveries.replay(db, queue.organization, [id_]) == (set(), set())


async def test_attempts_of_this_month_have_a_partition(db: Any, queue: Queue, token: UUID) -> None:
    await attempts.ensure_months(db, datetime.now(UTC))
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    await claim(db, queue, token)
    part = await db.fetchval("SELECT tableoid::regclass::text FROM delivery_attempts")
    assert part == datetime.now(UTC).strftime("delivery_attempts_%Y_%m")


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (claims.CLAIM_SQL, "(NULL, NULL, NULL, NULL, NULL, 15, 5)"),
        (claims.EXPIRE_SQL, "(500, 8)"),
        (attempts.RECORD_SQL, f"({', '.join(['NULL'] * 16)})"),
    ],
)
async def test_plan_made_while_the_queue_was_empty_reads_no_table_whole(db: Any, statement: str, values: str) -> None:
    await db.execute("VACUUM deliveries, delivery_attempts")
    await db.execute("SET plan_cache_mode = force_generic_plan")
    await db.execute(f"PREPARE work AS {statement}")
    plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN EXECUTE work {values}"))
    scans = re.findall(r"Scan using (deliver\w+) .*\n\s+(?:Index Cond: (.*))?", plan)
    assert scans
    assert [name for name, condition in scans if not condition] == []
    assert not re.search(r"Seq Scan on deliver", plan)
