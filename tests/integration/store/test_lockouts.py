"""Failed logins in the database: exact under concurrency, separate per subject, and gone after a while."""

import asyncio
from datetime import UTC, datetime, timedelta

from agentauri.accounts.lockout import ALLOWANCE, SCHEDULE
from agentauri.store import lockouts
from agentauri.store.database import Pool

ADA, BOB, HOME, OFFICE = b"ada", b"bob", b"home", b"office"


async def fail(pool: Pool, account: bytes = ADA, client: bytes | None = HOME) -> tuple[bool, bool]:
    async with pool.acquire() as connection:
        found = await lockouts.record_failure(connection, account, client, SCHEDULE)
        return found.counted, found.locks_account or found.locks_client


async def lock(pool: Pool, account: bytes = ADA, client: bytes | None = HOME) -> int | None:
    async with pool.acquire() as connection:
        return await lockouts.find_lock(connection, account, client)


async def succeed(pool: Pool, account: bytes = ADA, client: bytes | None = HOME) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await lockouts.hold(connection, account, client)
        await lockouts.forget(connection, account, client, ALLOWANCE)


async def unlock(pool: Pool) -> None:
    await pool.execute("UPDATE lockouts SET locked_until = now() - interval '1 second'")


async def test_the_fifth_failure_locks_and_later_ones_count_only_when_nothing_is_locked(pool: Pool) -> None:
    assert [await fail(pool) for _ in range(5)] == [(True, False)] * 4 + [(True, True)]
    assert await fail(pool) == (False, False)
    assert 890 < (await lock(pool) or 0) <= 900
    await unlock(pool)
    assert await lock(pool) is None
    assert await fail(pool) == (True, True)


async def test_locks_grow_at_every_fifth(pool: Pool) -> None:
    found = []
    for _ in range(26):
        await fail(pool)
        found.append((await lock(pool) or 0) / 60)
        await unlock(pool)
    assert found == [0.0] * 4 + [15.0] * 5 + [30.0] * 5 + [60.0] * 5 + [120.0] * 5 + [240.0] * 2


async def test_who_holds_sees_the_lock_and_keeps_failures_waiting(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        assert await lockouts.hold(connection, ADA, HOME) is None
    for left in (0, 0, 0, 0, 900):
        await fail(pool)
        async with pool.acquire() as connection, connection.transaction():
            assert abs((await lockouts.hold(connection, ADA, HOME) or 0) - left) <= 5
    await unlock(pool)
    async with pool.acquire() as connection, connection.transaction():
        assert await lockouts.hold(connection, ADA, HOME) == 0
        waiting = asyncio.create_task(fail(pool))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
    assert await waiting == (True, True)


async def test_of_forty_at_once_five_count(pool: Pool) -> None:
    found = await asyncio.gather(*(fail(pool) for _ in range(40)))
    assert sum(counted for counted, _ in found) == 5
    assert await pool.fetchval("SELECT sum(failures) FROM lockouts") == 10


async def test_a_client_is_locked_over_all_accounts_and_an_account_over_all_clients(pool: Pool) -> None:
    for number in range(5):
        await fail(pool, bytes([number]), HOME)
    assert await lock(pool, BOB, HOME)
    assert await lock(pool, BOB, OFFICE) is None
    for number in range(5):
        await fail(pool, ADA, bytes([number]))
    assert await lock(pool, ADA, None)
    assert await lock(pool, BOB, None) is None


async def test_a_success_takes_back_what_the_client_did_at_this_account_alone(pool: Pool) -> None:
    for account in (ADA, ADA, ADA, BOB):
        await fail(pool, account)
    await succeed(pool, ADA)
    rows = {row["subject"]: row["failures"] for row in await pool.fetch("SELECT * FROM lockouts")}
    assert rows == {BOB: 1, HOME: 1}


async def test_an_own_account_in_between_does_not_help_to_guess(pool: Pool) -> None:
    for number in range(5):
        await fail(pool, bytes([number]))
        if number < 4:
            await succeed(pool, BOB)
    assert await lock(pool, BOB)


async def test_a_reset_lifts_the_lock_of_the_client_that_only_mistyped_here(pool: Pool) -> None:
    for _ in range(5):
        await fail(pool)
    await succeed(pool)
    assert await lock(pool) is None
    for number in range(5):
        await fail(pool, bytes([number]))
    await succeed(pool, bytes([0]))
    assert await lock(pool, BOB) is None
    await fail(pool, BOB)
    assert await lock(pool, ADA)


async def test_a_failure_tells_what_it_locks(pool: Pool) -> None:
    for number in range(4):
        await fail(pool, bytes([number]))
    async with pool.acquire() as connection:
        found = await lockouts.record_failure(connection, ADA, HOME, SCHEDULE)
    assert (found.counted, found.locks_account, found.locks_client) == (True, False, True)


async def test_failures_and_successes_at_once_never_wait_for_each_other_in_a_ring(pool: Pool) -> None:
    await asyncio.gather(
        *(succeed(pool, account, client) for account in (ADA, BOB) for client in (HOME, OFFICE) for _ in range(10)),
        *(fail(pool, account, client) for account in (ADA, BOB) for client in (HOME, OFFICE) for _ in range(10)),
    )


async def test_old_rows_are_deleted_but_none_that_locks(pool: Pool) -> None:
    for account in (ADA, ADA, ADA, ADA, ADA, BOB):
        await fail(pool, account, None if account == ADA else OFFICE)
    later = datetime.now(UTC) + timedelta(minutes=1)
    async with pool.acquire() as connection:
        assert await lockouts.delete_old(connection, later, 1) == 1
        assert await lockouts.delete_old(connection, later, 10) == 1
        assert await lockouts.delete_old_pairs(connection, later, 10) == 1
    assert await lock(pool)
