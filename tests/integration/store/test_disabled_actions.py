"""Who is told of actions that the system disabled: exactly once, by whichever process is there."""

import asyncio
from uuid import UUID, uuid4

import pytest

from agentauri.store import disabled_actions
from agentauri.store.database import Connection, Pool
from tests.support.queue import Queue, make_queue

DISABLE = """
    UPDATE trigger_actions SET enabled = false, disabled_by = $2, disabled_reason = 'It answered 410.' WHERE id = $1"""
ENABLE = "UPDATE trigger_actions SET enabled = true, disabled_by = NULL, disabled_reason = NULL WHERE id = $1"


@pytest.fixture
async def queue(pool: Pool) -> Queue:
    async with pool.acquire() as connection:
        return await make_queue(connection)


async def action_of(pool: Pool, queue: Queue, *, fallback: bool = False) -> tuple[UUID, UUID]:
    """Two actions of one trigger, the second the fallback of the first if there is to be one."""
    async with pool.acquire() as connection:
        first = await queue.add_action(connection, "http://127.0.0.1:9000/")
        second = await queue.add_action(connection, "http://127.0.0.1:9001/")
        await connection.execute(
            """UPDATE trigger_actions SET trigger_id = (SELECT trigger_id FROM trigger_actions WHERE id = $1)
               WHERE id = $2""",
            first,
            second,
        )
        if fallback:
            await connection.execute(
                "UPDATE trigger_actions SET config = config || jsonb_build_object('fallback_action_id', $2::text) "
                "WHERE id = $1",
                first,
                str(second),
            )
    return first, second


async def member(pool: Pool, queue: Queue, role: str, *, verified: bool = True) -> str:
    email = f"{role}-{uuid4().hex[:6]}@example.com"
    await pool.execute(
        """WITH u AS (INSERT INTO users (id, email, email_verified_at)
               VALUES (gen_random_uuid(), $2, CASE WHEN $4 THEN now() END) RETURNING id)
           INSERT INTO members (organization_id, user_id, role) SELECT $1, id, $3 FROM u""",
        queue.organization,
        email,
        role,
        verified,
    )
    return email


async def leased(pool: Pool) -> list[disabled_actions.Disabled]:
    async with pool.acquire() as connection:
        return await disabled_actions.lease(connection, 10)


async def test_action_knows_since_when_it_is_disabled_and_forgets_when_enabled(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    sql = "SELECT disabled_at IS NOT NULL FROM trigger_actions WHERE id = $1"
    assert await pool.fetchval(sql, action) is False
    await pool.execute(DISABLE, action, "user")
    assert await pool.fetchval(sql, action) is True
    await pool.execute(ENABLE, action)
    assert await pool.fetchval(sql, action) is False


async def test_only_what_the_system_disabled_is_told(pool: Pool, queue: Queue) -> None:
    first, second = await action_of(pool, queue)
    await pool.execute(DISABLE, first, "user")
    await pool.execute(DISABLE, second, "system")
    assert [one.action_id for one in await leased(pool)] == [second]


async def test_disabling_that_is_rolled_back_is_not_told(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(DISABLE, action, "system")
        await transaction.rollback()
    assert await leased(pool) == []


async def test_fallback_gets_one_delivery_however_often_and_by_whom_it_is_told(pool: Pool, queue: Queue) -> None:
    action, fallback = await action_of(pool, queue, fallback=True)
    await pool.execute(DISABLE, action, "system")

    async def tell() -> frozenset[str]:
        async with pool.acquire() as connection:
            return await disabled_actions.tell(connection)

    lanes = await asyncio.gather(tell(), tell(), tell())
    assert frozenset().union(*lanes) == {"host:127.0.0.1"}
    rows = await pool.fetch("SELECT action_id, type, status, context FROM deliveries")
    assert [tuple(row)[:3] for row in rows] == [(fallback, "action.disabled", "pending")]
    assert rows[0]["context"]["reason"] == "It answered 410."


@pytest.mark.parametrize("by", ["user", "system"])
async def test_fallback_that_is_disabled_itself_gets_nothing(pool: Pool, queue: Queue, by: str) -> None:
    action, fallback = await action_of(pool, queue, fallback=True)
    await pool.execute(DISABLE, fallback, by)
    await pool.execute(DISABLE, action, "system")
    async with pool.acquire() as connection:
        await disabled_actions.tell(connection)
    assert await pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_admins_with_verified_addresses_are_named(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    told = {await member(pool, queue, "owner"), await member(pool, queue, "admin")}
    await member(pool, queue, "member")
    await member(pool, queue, "admin", verified=False)
    await pool.execute(DISABLE, action, "system")
    (found,) = await leased(pool)
    assert set(found.emails) == told
    assert (found.trigger_name, found.organization_name, found.is_disabled) == ("Low score", "Test", True)


async def test_two_replicas_do_not_lease_the_same(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    await pool.execute(DISABLE, action, "system")
    found = await asyncio.gather(*(leased(pool) for _ in range(4)))
    assert sum(len(one) for one in found) == 1


async def test_lease_that_ended_is_taken_again(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    await pool.execute(DISABLE, action, "system")
    assert len(await leased(pool)) == 1
    assert await leased(pool) == []
    await pool.execute("UPDATE disabled_actions SET mailing_until = now() - interval '1 second'")
    assert len(await leased(pool)) == 1


async def disable_again(connection: Connection, action: UUID) -> None:
    await connection.execute(ENABLE, action)
    await connection.execute(DISABLE, action, "system")


async def test_at_most_one_mail_an_action_an_hour_and_then_the_newest(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    async with pool.acquire() as connection:
        await connection.execute(DISABLE, action, "system")
        (first,) = await disabled_actions.lease(connection, 10)
        await disabled_actions.settle(connection, first, mailed=True)
        for _ in range(3):
            await disable_again(connection, action)
        assert await disabled_actions.lease(connection, 10) == []
        await connection.execute("UPDATE disabled_actions SET mailed_at = mailed_at - interval '61 minutes'")
        (second,) = await disabled_actions.lease(connection, 10)
        await disabled_actions.settle(connection, second, mailed=True)
        newest = await connection.fetchval("SELECT id FROM disabled_actions ORDER BY created_at DESC LIMIT 1")
        assert second.id == newest
        assert await connection.fetchval("SELECT count(*) FROM disabled_actions WHERE settled_at IS NULL") == 0


async def test_what_nobody_took_for_days_is_given_up_and_in_time_deleted(pool: Pool, queue: Queue) -> None:
    action, _ = await action_of(pool, queue)
    await pool.execute(DISABLE, action, "system")
    await pool.execute("UPDATE disabled_actions SET created_at = now() - interval '4 days'")
    async with pool.acquire() as connection:
        assert await disabled_actions.prune(connection, 100) == 0
        assert await disabled_actions.lease(connection, 10) == []
        await connection.execute("UPDATE disabled_actions SET created_at = now() - interval '31 days'")
        assert await disabled_actions.prune(connection, 100) == 1
