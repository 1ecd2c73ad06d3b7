"""A login in two statements: the same as step by step when nothing disturbs it, nothing at all otherwise."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from agentauri.accounts import lockout
from agentauri.store import audit, lockouts, logins, new_accounts, organizations, sessions, users
from agentauri.store.audit import Actor
from agentauri.store.database import Pool
from agentauri.store.organizations import Membership
from agentauri.store.sessions import MAX_LIVE, Login
from agentauri.store.users import User
from agentauri.store.vault import Vault

EMAIL, HASH = "ada@example.com", "$argon2id$of-a-password"
HOME = lockout.client("192.0.2.1")
DAY = timedelta(days=1)


@pytest.fixture
async def user(pool: Pool) -> User:
    async with pool.acquire() as connection, connection.transaction():
        vault = Vault("t" * 40, ())
        made = await new_accounts.create_account(
            connection, vault, email=EMAIL, username="ada", name="Ada", password_hash=HASH
        )
        return made.user


async def find(pool: Pool, *, email: str | None = None, username: str | None = None) -> logins.Standing:
    nobody = lockout.of_name(email or username or "", "192.0.2.1").account
    async with pool.acquire() as connection:
        return await logins.find_standing(
            connection, email=email, username=username, prefix=lockout.USER, nobody=nobody, client=HOME
        )


def new_login(user: User) -> Login:
    return Login(uuid4(), user.id, uuid4().bytes * 2, "password", "192.0.2.1", "curl", datetime.now(UTC) + DAY)


async def begin(pool: Pool, checked: User, login: Login | None = None) -> list[Membership] | None:
    account = lockout.account(checked.id)
    async with pool.acquire() as connection:
        return await logins.begin(
            connection, checked, login or new_login(checked), account=account, client=HOME, request_id="request"
        )


async def fail(pool: Pool, account: bytes, times: int = 1) -> None:
    async with pool.acquire() as connection:
        for _ in range(times):
            await lockouts.record_failure(connection, account, HOME, lockout.SCHEDULE)


async def written(pool: Pool, login: Login) -> list[tuple[object, ...]]:
    """What a login left, but for ids and times that each has of its own."""
    session = await pool.fetch(
        """SELECT user_id, method, ip, user_agent, expires_at, revoked_at, last_used_at = created_at AS unused
           FROM sessions WHERE id = $1""",
        login.session_id,
    )
    token = await pool.fetch(
        "SELECT session_id, expires_at, used_at, successor_sealed FROM refresh_tokens WHERE token_sha256 = $1",
        login.token_sha256,
    )
    entry = await pool.fetch(
        """SELECT organization_id, user_id, actor_kind, actor_id, action, details, ip, request_id FROM audit_log
           WHERE target = $1""",
        f"session:{login.session_id}",
    )
    assert [row["session_id"] for row in token] == [login.session_id]
    return [*map(tuple, session), *(tuple(row)[1:] for row in token), *map(tuple, entry)]


async def is_untouched(pool: Pool, user: User) -> bool:
    """Whether no login was begun, nor noted."""
    rows = [await pool.fetchval(f"SELECT count(*) FROM {one}") for one in ("sessions", "refresh_tokens", "audit_log")]
    return rows == [0, 0, 0] and await pool.fetchval("SELECT last_login_at FROM users") == user.last_login_at


async def test_a_user_is_found_by_either_name_without_case(pool: Pool, user: User) -> None:
    for found in (await find(pool, email=EMAIL.upper()), await find(pool, username="ADA")):
        assert found == logins.Standing(user, 0)
    assert await find(pool, email="nobody@example.com") == logins.Standing(None, 0)


async def test_the_lock_of_an_account_is_found_with_it(pool: Pool, user: User) -> None:
    account = lockout.account(user.id)
    async with pool.acquire() as connection:
        for _ in range(lockout.ALLOWANCE):
            await lockouts.record_failure(connection, account, None, lockout.SCHEDULE)
    assert 890 < (await find(pool, email=EMAIL)).locked <= 900
    assert (await find(pool, email="nobody@example.com")).locked == 0
    await pool.execute("UPDATE lockouts SET locked_until = now() - interval '1 second'")
    assert (await find(pool, email=EMAIL)).locked == 0


async def test_the_lock_of_a_name_that_nobody_has_is_found(pool: Pool, user: User) -> None:
    async with pool.acquire() as connection:
        for _ in range(lockout.ALLOWANCE):
            await lockouts.record_failure(connection, lockout.of_name("nobody", "").account, None, lockout.SCHEDULE)
    assert (await find(pool, username="nobody")).locked > 890
    assert (await find(pool, username="ada")).locked == 0


async def test_the_lock_of_a_client_is_found_with_every_name(pool: Pool, user: User) -> None:
    for number in range(lockout.ALLOWANCE):
        await fail(pool, bytes([number]))
    assert (await find(pool, email=EMAIL)).locked > 890
    assert (await find(pool, email="nobody@example.com")).locked > 890


async def test_an_undisturbed_login_writes_what_the_steps_write(pool: Pool, user: User) -> None:
    at_once, by_steps = new_login(user), new_login(user)
    by_steps = Login(by_steps.session_id, user.id, by_steps.token_sha256, *_rest(at_once))
    memberships = await begin(pool, user, at_once)
    async with pool.acquire() as connection, connection.transaction():
        await sessions.create_session(connection, by_steps)
        actor = Actor("user", user.id, user.id, "192.0.2.1", "request")
        target, details = f"session:{by_steps.session_id}", {"method": "password"}
        await audit.record(connection, actor, "user.logged_in", organization_id=None, target=target, details=details)
        assert memberships == await organizations.list_memberships(connection, user.id)
    assert await written(pool, at_once) == await written(pool, by_steps)
    found = (await find(pool, email=EMAIL)).user
    assert found is not None
    assert found.last_login_at is not None
    assert (found.password_hash, found.updated_at) == (HASH, user.updated_at)


def _rest(login: Login) -> tuple[str, str, str, datetime]:
    return login.method, login.ip, login.user_agent, login.expires_at


@pytest.mark.parametrize(
    "change",
    [
        "password_hash = 'another'",
        "password_hash = NULL",
        "disabled_at = now()",
    ],
)
async def test_a_changed_account_begins_nothing(pool: Pool, user: User, change: str) -> None:
    await pool.execute(f"UPDATE users SET {change}")
    assert await begin(pool, user) is None
    assert await is_untouched(pool, user)


async def test_a_deleted_account_begins_nothing(pool: Pool, user: User) -> None:
    await pool.execute("DELETE FROM users")
    assert await begin(pool, user) is None
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_another_login_meanwhile_begins_nothing(pool: Pool, user: User) -> None:
    assert await begin(pool, user) is not None
    assert await begin(pool, user) is None
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


@pytest.mark.parametrize("whose", ["account", "client"])
async def test_a_failure_that_counts_begins_nothing(pool: Pool, user: User, whose: str) -> None:
    if whose == "client":
        await fail(pool, b"another account")
    else:
        async with pool.acquire() as connection:
            await lockouts.record_failure(connection, lockout.account(user.id), None, lockout.SCHEDULE)
    assert await begin(pool, user) is None
    assert await is_untouched(pool, user)


async def test_a_password_that_changes_while_the_login_waits_begins_nothing(pool: Pool, user: User) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await users.set_password(connection, user.id, "another")
        waiting = asyncio.create_task(begin(pool, user))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
    assert await waiting is None
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 0


async def test_of_logins_at_once_one_begins(pool: Pool, user: User) -> None:
    begun = await asyncio.gather(*(begin(pool, user) for _ in range(8)))
    assert sum(one is not None for one in begun) == 1
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_the_oldest_session_beyond_ten_ends(pool: Pool, user: User) -> None:
    made = []
    for _ in range(MAX_LIVE + 1):
        found = (await find(pool, email=EMAIL)).user
        assert found is not None
        made.append(new_login(found))
        assert await begin(pool, found, made[-1]) is not None
    ended = await pool.fetch("SELECT id, revoked_reason FROM sessions WHERE revoked_at IS NOT NULL")
    assert [tuple(row) for row in ended] == [(made[0].session_id, "too_many_sessions")]
