"""Nonces of wallet sign-ins: used once even by many at once, by nobody else, and cleared by those who come later."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agentauri.store.database import Pool
from agentauri.store.login_nonces import LoginNonce, create_nonce, find_nonce, use_nonce

NOW = datetime.now(UTC).replace(microsecond=0)
# Runs out long after the tests: a run of all of them takes more than the five minutes of a real nonce.
NONCE = LoginNonce("aa", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 2**53 - 1, NOW, NOW + timedelta(days=1))


async def test_a_nonce_is_found_as_it_was_kept_until_it_is_used(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await create_nonce(connection, NONCE)
        assert await find_nonce(connection, "aa") == NONCE
        assert await use_nonce(connection, NONCE)
        assert await find_nonce(connection, "aa") is None
        assert not await use_nonce(connection, NONCE)


async def test_a_nonce_is_not_used_by_another_address_or_on_another_chain(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await create_nonce(connection, NONCE)
        for other in (replace(NONCE, address="0x" + "1" * 40), replace(NONCE, chain_id=1), replace(NONCE, nonce="bb")):
            assert not await use_nonce(connection, other)
        assert await use_nonce(connection, NONCE)


async def test_a_nonce_that_ran_out_is_neither_found_nor_used(pool: Pool) -> None:
    async with pool.acquire() as connection:
        old = replace(NONCE, expires_at=NOW)
        await create_nonce(connection, old)
        assert await find_nonce(connection, "aa") is None
        assert not await use_nonce(connection, old)


async def test_of_many_who_use_one_nonce_at_once_one_does(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await create_nonce(connection, NONCE)

    async def use() -> bool:
        async with pool.acquire() as connection, connection.transaction():
            return await use_nonce(connection, NONCE)

    assert sorted(await asyncio.gather(*(use() for _ in range(8)))) == [False] * 7 + [True]


async def test_a_use_that_is_rolled_back_leaves_the_nonce(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await create_nonce(connection, NONCE)
        transaction = connection.transaction()
        await transaction.start()
        assert await use_nonce(connection, NONCE)
        await transaction.rollback()
        assert await find_nonce(connection, "aa") == NONCE


async def test_new_nonces_clear_what_has_run_out_and_nothing_else(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for number in range(25):
            await create_nonce(connection, replace(NONCE, nonce=f"live{number}"))
        await connection.execute("UPDATE login_nonces SET expires_at = now() WHERE nonce <> 'live0'")
        for number, left in enumerate([16, 7, 4]):
            await create_nonce(connection, replace(NONCE, nonce=f"new{number}"))
            assert await connection.fetchval("SELECT count(*) FROM login_nonces") == left
        assert await find_nonce(connection, "live0") is not None
