"""Circuit breakers as rows: what attempts do to them, and what an open one does to new deliveries (protocol P19)."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.errors import NotFound
from agentauri.models.breaker import Breaker
from agentauri.models.delivery import Attempt, Claimed, Judgement, Outcome, Result
from agentauri.store import attempts, breakers, claims, deliveries
from tests.support.queue import URL, Queue, claim

OPEN, PROBE = ("suppressed", "breaker_open"), ("pending", "breaker_probe")


@pytest.fixture
async def action(db: Any, queue: Queue) -> UUID:
    return await queue.add_action(db, URL)


@pytest.fixture
async def trigger(db: Any, action: UUID) -> UUID:
    found: UUID = await db.fetchval("SELECT trigger_id FROM trigger_actions WHERE id = $1", action)
    return found


def succeeded(one: Claimed) -> Result:
    return Result(one, Attempt(Outcome.SUCCESS, 0.1), Judgement.DELIVERED, None)


def failed(one: Claimed, wait: float | None = 0.0) -> Result:
    return Result(one, Attempt(Outcome.HTTP, 0.1), Judgement.RETRY if wait is not None else Judgement.FINAL, wait)


async def record(db: Any, results: list[Result]) -> None:
    async with db.transaction():
        await attempts.record(db, results)


async def set_breaker(db: Any, trigger: UUID, opened_ago: str | None = None, **more: int) -> None:
    organization = await db.fetchval("SELECT organization_id FROM triggers WHERE id = $1", trigger)
    names = "".join(f", {name}" for name in more)
    values = "".join(f", {value}" for value in more.values())
    await db.execute(
        f"""INSERT INTO trigger_breakers (trigger_id, organization_id, opened_at{names})
            VALUES ($1, $2, now() - $3::text::interval{values})""",
        trigger,
        organization,
        opened_ago,
    )


async def breaker(db: Any) -> tuple[str, int]:
    row = await db.fetchrow(f"SELECT {breakers.STATE} AS state, failure_count FROM trigger_breakers AS b")
    return tuple(row)


async def statuses(db: Any) -> list[tuple[str, str | None]]:
    rows = await db.fetch("SELECT status, status_code FROM deliveries ORDER BY status, status_code")
    return [tuple(row) for row in rows]


async def test_success_of_a_trigger_that_never_failed_writes_nothing(
    db: Any, queue: Queue, action: UUID, token: UUID
) -> None:
    await queue.add_deliveries(db, action)
    await record(db, [succeeded(one) for one in await claim(db, queue, token)])
    assert await db.fetchval("SELECT count(*) FROM trigger_breakers") == 0


async def test_final_failures_open_it_and_what_fires_then_is_suppressed(
    db: Any, queue: Queue, action: UUID, trigger: UUID, token: UUID
) -> None:
    await set_breaker(db, trigger, failure_threshold=2)
    await queue.add_deliveries(db, action, 2)
    first, second = await claim(db, queue, token)
    await record(db, [failed(first, None)])
    assert await breaker(db) == ("closed", 1)
    await record(db, [failed(second, None)])
    assert await breaker(db) == ("open", 2)
    (late,) = await queue.add_deliveries(db, action)
    row = await db.fetchrow("SELECT status, status_code, status_reason FROM deliveries WHERE id = $1", late)
    assert tuple(row) == (*OPEN, breakers.OPEN_REASON)


async def test_delivery_that_failed_three_times_counts_once(db: Any, queue: Queue, action: UUID, token: UUID) -> None:
    await queue.add_deliveries(db, action)
    seen = []
    for wait in (0.0, 0.0, 0.0, 0.0, None):
        await record(db, [failed(one, wait) for one in await claim(db, queue, token)])
        seen.append(await db.fetchval("SELECT coalesce(sum(failure_count), 0) FROM trigger_breakers"))
    assert seen == [0, 0, 1, 1, 1]


async def test_success_starts_the_count_again(db: Any, queue: Queue, action: UUID, trigger: UUID, token: UUID) -> None:
    await set_breaker(db, trigger, failure_count=9)
    await queue.add_deliveries(db, action)
    await record(db, [succeeded(one) for one in await claim(db, queue, token)])
    assert await breaker(db) == ("closed", 0)


async def test_results_of_one_batch_count_in_their_order(
    db: Any, queue: Queue, action: UUID, trigger: UUID, token: UUID
) -> None:
    await set_breaker(db, trigger, failure_threshold=2)
    await queue.add_deliveries(db, action, 3)
    first, second, third = await claim(db, queue, token)
    await record(db, [failed(first, None), succeeded(second), failed(third, None)])
    assert await breaker(db) == ("closed", 1)


async def test_result_without_its_lease_counts_nothing(db: Any, queue: Queue, action: UUID, token: UUID) -> None:
    await queue.add_deliveries(db, action)
    (one,) = await claim(db, queue, token)
    await db.execute("UPDATE deliveries SET lease_token = $1", uuid4())
    await record(db, [failed(one, None)])
    assert await db.fetchval("SELECT count(*) FROM trigger_breakers") == 0


@pytest.mark.parametrize("places", [1, 3])
async def test_half_open_lets_as_many_through_as_it_has_places(
    db: Any, queue: Queue, action: UUID, trigger: UUID, places: int
) -> None:
    await set_breaker(db, trigger, "1 hour", half_open_max_calls=places)
    await queue.add_deliveries(db, action, 5)
    assert await statuses(db) == [PROBE] * places + [OPEN] * (5 - places)
    await queue.add_deliveries(db, action, 2)
    assert (await statuses(db)).count(PROBE) == places


async def test_probe_that_succeeds_closes_it(db: Any, queue: Queue, action: UUID, trigger: UUID, token: UUID) -> None:
    await set_breaker(db, trigger, "1 hour", failure_count=10)
    await queue.add_deliveries(db, action)
    (probe,) = await claim(db, queue, token)
    assert probe.probe
    await record(db, [succeeded(probe)])
    assert await breaker(db) == ("closed", 0)
    await queue.add_deliveries(db, action)
    assert await statuses(db) == [("delivered", None), ("pending", None)]


async def test_first_failure_of_a_probe_opens_it_again_and_its_later_success_does_not_close_it(
    db: Any, queue: Queue, action: UUID, trigger: UUID, token: UUID
) -> None:
    await set_breaker(db, trigger, "1 hour", failure_count=10)
    await queue.add_deliveries(db, action)
    await record(db, [failed(one) for one in await claim(db, queue, token)])
    assert await breaker(db) == ("open", 11)
    (again,) = await claim(db, queue, token)
    assert not again.probe
    await record(db, [succeeded(again)])
    assert await breaker(db) == ("open", 11)


async def test_cancelled_probe_frees_its_place(db: Any, queue: Queue, action: UUID, trigger: UUID) -> None:
    await set_breaker(db, trigger, "1 hour")
    (probe,) = await queue.add_deliveries(db, action)
    await deliveries.cancel(db, queue.organization, probe)
    await queue.add_deliveries(db, action)
    assert await statuses(db) == [("cancelled", "cancelled_by_user"), PROBE]


async def test_probe_whose_sender_went_away_opens_it_again(
    db: Any, queue: Queue, action: UUID, trigger: UUID, token: UUID
) -> None:
    await set_breaker(db, trigger, "1 hour")
    await queue.add_deliveries(db, action)
    await claim(db, queue, token)
    await db.execute("UPDATE deliveries SET lease_until = now() - interval '1 s'")
    async with db.transaction():
        await breakers.judge(db, (await claims.expire(db)).verdicts)
    assert await breaker(db) == ("open", 1)


async def test_action_that_cannot_send_takes_no_place_of_a_probe(
    db: Any, queue: Queue, action: UUID, trigger: UUID
) -> None:
    await set_breaker(db, trigger, "1 hour")
    await db.execute("UPDATE trigger_actions SET enabled = false, disabled_by = 'system'")
    await queue.add_deliveries(db, action)
    await db.execute("UPDATE trigger_actions SET enabled = true, disabled_by = NULL")
    await queue.add_deliveries(db, action)
    assert await statuses(db) == [PROBE, OPEN]


async def test_p19_breaker_of_one_trigger_leaves_the_others_alone(db: Any, queue: Queue, trigger: UUID) -> None:
    await set_breaker(db, trigger, "1 minute")
    await queue.add_deliveries(db, await queue.add_action(db, URL))
    assert await statuses(db) == [("pending", None)]


async def test_failures_reported_at_once_are_all_counted(
    db: Any, database: str, queue: Queue, action: UUID, token: UUID
) -> None:
    await queue.add_deliveries(db, action, 8)
    claimed = await claim(db, queue, token)
    others = [await claims.connect(database, name=f"d{number}") for number in range(4)]
    await asyncio.gather(
        *(record(other, [failed(one, None) for one in claimed[2 * n : 2 * n + 2]]) for n, other in enumerate(others))
    )
    for other in others:
        await other.close()
    assert await breaker(db) == ("closed", 8)


async def test_attempt_of_a_deleted_trigger_is_recorded(db: Any, queue: Queue, action: UUID, token: UUID) -> None:
    await queue.add_deliveries(db, action)
    (one,) = await claim(db, queue, token)
    await db.execute("DELETE FROM triggers")
    await record(db, [failed(one, None)])
    assert await statuses(db) == [("dead", "failed_finally")]
    assert await db.fetchval("SELECT count(*) FROM trigger_breakers") == 0


async def test_breaker_of_another_organization_is_not_found(db: Any, trigger: UUID) -> None:
    with pytest.raises(NotFound):
        await breakers.change(db, uuid4(), trigger, Breaker.reset)
