"""One-time codes and states: each once, and gone when their time is over."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from agentauri.store import login_codes
from agentauri.store.database import Pool

MINUTE = timedelta(minutes=1)
AGO = timedelta(minutes=-1)


@pytest.fixture
async def user_id(pool: Pool) -> UUID:
    made = uuid4()
    await pool.execute("INSERT INTO users (id, name) VALUES ($1, 'Ada')", made)
    return made


async def test_codes_and_states_that_ran_out_are_purged_and_others_stay(pool: Pool, user_id: UUID) -> None:
    async with pool.acquire() as connection:
        for number, lifetime in enumerate([AGO, AGO, MINUTE]):
            secret = bytes([number])
            code = login_codes.NewLoginCode(secret, user_id, "google", None, "", "", lifetime)
            await login_codes.create_code(connection, code)
            assert await login_codes.take_state(connection, secret, lifetime)
        assert await login_codes.purge_codes(connection) == 2
        assert await login_codes.purge_states(connection) == 2
        assert not await login_codes.take_state(connection, b"\2", MINUTE)
        assert await login_codes.take_code(connection, b"\2") == login_codes.LoginCode(user_id, "google", None)
