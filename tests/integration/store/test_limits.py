"""What a plan bounds is bounded exactly, also for those who add at the same time; the queue within a round."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from agentauri.config import build
from agentauri.config_limits import PlanLimits
from agentauri.errors import LimitReached, NotFound
from agentauri.models.plan import Plan
from agentauri.store import limits
from agentauri.store.database import Connection, Pool
from agentauri.store.limits import Countable
from tests.support.queue import URL, make_queue
from tests.support.waiting import eventually


@pytest.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection


def bounds(**free: int) -> dict[Plan, PlanLimits]:
    return build({"limits": {"free": free}}).limits.by_plan()


async def add_trigger(pool: Pool, organization: UUID, allowed: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        sql = "INSERT INTO triggers (id, organization_id, name, partition) VALUES ($1, $2, 'x', 0)"
        await connection.execute(sql, uuid4(), organization)
        await limits.check(connection, organization, {Countable.TRIGGERS: 1}, bounds(triggers=allowed))


async def until_someone_waits(pool: Pool) -> None:
    """Until a statement of this database waits for a lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await eventually(lambda: pool.fetchval(sql))


async def test_two_who_add_the_last_one_at_once_are_told_apart(pool: Pool, db: Connection) -> None:
    organization = (await make_queue(db)).organization
    told = await asyncio.gather(*(add_trigger(pool, organization, 3) for _ in range(6)), return_exceptions=True)
    assert [type(one) for one in told if one is not None] == [LimitReached] * 3
    assert (await limits.count_all(db, organization))["triggers"] == 3


async def test_far_from_a_bound_nobody_waits_for_another(pool: Pool, db: Connection) -> None:
    organization = (await make_queue(db)).organization
    async with db.transaction():
        await limits.check(db, organization, {Countable.TRIGGERS: 1}, bounds())
        await asyncio.wait_for(add_trigger(pool, organization, limits.ROOM + 1), 10)


async def test_near_a_bound_one_waits_for_the_other(pool: Pool, db: Connection) -> None:
    organization = (await make_queue(db)).organization
    async with db.transaction():
        await limits.check(db, organization, {Countable.TRIGGERS: 1}, bounds(triggers=limits.ROOM - 1))
        other = asyncio.create_task(add_trigger(pool, organization, limits.ROOM - 1))
        await until_someone_waits(pool)
        assert not other.done()
    await other


async def test_organization_is_not_closed_while_something_is_added_to_it(pool: Pool, db: Connection) -> None:
    organization = (await make_queue(db)).organization
    async with db.transaction():
        await limits.check(db, organization, {Countable.TRIGGERS: 1}, bounds())
        closing = asyncio.create_task(pool.execute("UPDATE organizations SET closed_at = now()"))
        await until_someone_waits(pool)
        assert not closing.done()
    await closing


async def test_the_refusal_names_limit_and_plan(pool: Pool, db: Connection) -> None:
    organization = (await make_queue(db)).organization
    with pytest.raises(LimitReached, match=r"plan free allows an organization 0 triggers"):
        await add_trigger(pool, organization, 0)


async def test_another_plan_has_other_bounds(pool: Pool, db: Connection) -> None:
    organization = (await make_queue(db)).organization
    await db.execute("UPDATE organizations SET plan = 'pro'")
    await add_trigger(pool, organization, 0)


async def test_whoever_adds_nothing_is_not_refused_beyond_the_limit(db: Connection) -> None:
    queue = await make_queue(db)
    await queue.add_action(db, URL)
    await limits.check(db, queue.organization, {Countable.ACTIONS: 0}, bounds(actions=0))
    with pytest.raises(LimitReached):
        await limits.check(db, queue.organization, {Countable.ACTIONS: 1}, bounds(actions=0))


async def test_nothing_is_added_to_a_closed_organization(db: Connection) -> None:
    organization = (await make_queue(db)).organization
    await db.execute("UPDATE organizations SET closed_at = now()")
    with pytest.raises(NotFound):
        await limits.check(db, organization, {Countable.API_KEYS: 1}, bounds())


async def test_a_full_queue_suppresses_until_it_is_relieved(db: Connection) -> None:
    queue, other = await make_queue(db), await make_queue(db)
    action, others = await queue.add_action(db, URL), await other.add_action(db, URL)
    await queue.add_deliveries(db, action, 10)
    assert await limits.mark_full_queues(db, bounds(queued_deliveries=10)) == {queue.organization: True}
    (late,) = await queue.add_deliveries(db, action)
    row = await db.fetchrow("SELECT status, status_code FROM deliveries WHERE id = $1", late)
    assert tuple(row or ()) == ("suppressed", "queue_full")
    assert await other.add_deliveries(db, others)
    await db.execute("UPDATE deliveries SET status = 'delivered' WHERE id = (SELECT id FROM deliveries"
                     " WHERE action_id = $1 AND status = 'pending' LIMIT 1)", action)  # fmt: skip
    assert await limits.mark_full_queues(db, bounds(queued_deliveries=10)) == {}
    await db.execute("UPDATE deliveries SET status = 'delivered' WHERE action_id = $1", action)
    assert await limits.mark_full_queues(db, bounds(queued_deliveries=10)) == {queue.organization: False}
    assert await limits.count_queued(db, other.organization) == 1


async def test_firings_are_counted_by_month(db: Connection) -> None:
    queue = await make_queue(db)
    await queue.add_deliveries(db, await queue.add_action(db, URL), 2)
    await db.execute(
        """INSERT INTO trigger_ledger (trigger_id, organization_id, day, fired)
           SELECT gen_random_uuid(), $1, date_trunc('month', now())::date - d, 5 FROM generate_series(0, 1) AS d""",
        queue.organization,
    )
    month = await db.fetchval("SELECT date_trunc('month', now())")
    assert await limits.count_month(db, queue.organization, month) == (2, 5)
