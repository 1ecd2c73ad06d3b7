"""Lockout over HTTP: exact in a race, the same for names that nobody has, separate by account and by client."""

import asyncio
import time
from collections import Counter
from statistics import median

import httpx2
import pytest

from agentauri.accounts.lockout import ALLOWANCE
from agentauri.accounts.passwords import PRODUCTION
from agentauri.serve.peer import HEADER
from agentauri.store.database import Pool
from tests.integration.serve.conftest import PASSWORD, Api, User, running, settings_for


async def login(api: Api, email: str, password: str = "wrong", ip: str = "") -> httpx2.Response:
    headers = {HEADER: ip} if ip else {}
    return await api.client.post("/api/v1/auth/login", json={"email": email, "password": password}, headers=headers)


async def fail(api: Api, email: str, times: int = ALLOWANCE, ip: str = "") -> None:
    for _ in range(times):
        assert (await login(api, email, ip=ip)).status_code == 401


async def unlock(pool: Pool) -> None:
    await pool.execute("UPDATE lockouts SET locked_until = now() - interval '1 second'")


@pytest.mark.parametrize("known", [True, False])
async def test_of_twenty_wrong_passwords_at_once_five_are_told_so(api: Api, user: User, known: bool) -> None:
    email = user.email if known else "nobody@example.com"
    answers = await asyncio.gather(*(login(api, email) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 15}
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"] == "account_locked"
            assert 890 <= int(answer.headers["retry-after"]) <= 900


async def test_the_right_password_does_not_open_a_lock(api: Api, user: User, pool: Pool) -> None:
    await fail(api, user.email)
    assert (await login(api, user.email, PASSWORD)).status_code == 429
    await unlock(pool)
    assert (await login(api, user.email, PASSWORD)).status_code == 200
    await fail(api, user.email)


async def test_a_right_password_among_many_wrong_ones_tells_nothing_once_it_is_locked(api: Api, user: User) -> None:
    tries = [login(api, user.email, "wrong" if number < 30 else PASSWORD) for number in range(40)]
    answers = await asyncio.gather(*tries)
    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 35}


async def test_twenty_right_logins_at_once_all_succeed(api: Api, user: User) -> None:
    answers = await asyncio.gather(*(login(api, user.email, PASSWORD, "192.0.2.1") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


async def test_user_name_and_email_are_one_account(api: Api) -> None:
    user = await api.register(username="ada")
    await fail(api, user.email, 3)
    for _ in range(2):
        answer = await api.client.post("/api/v1/auth/login", json={"username": "ADA", "password": "wrong"})
        assert answer.status_code == 401
    assert (await login(api, user.email.upper(), PASSWORD)).status_code == 429


async def test_a_client_is_locked_for_every_account_and_no_other_client_is(api: Api, user: User) -> None:
    for number in range(ALLOWANCE):
        await fail(api, f"nobody{number}@example.com", 1, ip="192.0.2.1")
    assert (await login(api, user.email, PASSWORD, "192.0.2.1")).status_code == 429
    assert (await login(api, user.email, PASSWORD, "192.0.2.2")).status_code == 200


async def test_logging_in_to_an_own_account_in_between_does_not_help(api: Api, user: User) -> None:
    for number in range(ALLOWANCE):
        await fail(api, f"victim{number}@example.com", 1, ip="192.0.2.1")
        if number < ALLOWANCE - 1:
            assert (await login(api, user.email, PASSWORD, "192.0.2.1")).status_code == 200
    assert (await login(api, user.email, PASSWORD, "192.0.2.1")).status_code == 429


async def test_mistyping_before_logging_in_leaves_nothing_behind(api: Api, user: User, pool: Pool) -> None:
    await fail(api, user.email, 4, ip="192.0.2.1")
    assert (await login(api, user.email, PASSWORD, "192.0.2.1")).status_code == 200
    assert await pool.fetchval("SELECT coalesce(sum(failures), 0) FROM lockouts") == 0


async def test_what_locks_is_in_the_audit_log(api: Api, user: User, pool: Pool) -> None:
    await fail(api, user.email, ip="192.0.2.1")
    row = await pool.fetchrow("SELECT user_id, ip, details FROM audit_log WHERE action = 'login.locked'")
    assert row is not None
    assert (str(row["user_id"]), row["ip"]) == (user.registered["user"]["id"], "192.0.2.1")
    assert row["details"] == {"account": True, "client": True}


async def test_the_password_route_counts_too(api: Api, user: User) -> None:
    body = {"current_password": "wrong", "new_password": "another-horse-battery-staple"}
    answers = [(await user.call("POST", "/auth/password", json=body)).status_code for _ in range(6)]
    assert answers == [403] * 5 + [429]
    assert (await login(api, user.email, PASSWORD)).status_code == 429


async def test_names_are_counted_without_being_stored(api: Api, pool: Pool) -> None:
    for name in ("nobody@example.com", "\u202enobody", "x" * 254):
        assert (await login(api, name)).status_code == 401
    assert await pool.fetchval("SELECT count(*) FROM lockouts WHERE length(subject) = 32") == 3


async def test_an_unknown_user_takes_as_long_as_a_wrong_password(database: str, redis_url: str, pool: Pool) -> None:
    async with running(settings_for(database, redis_url), cost=PRODUCTION) as api:
        user = await api.register()
        known: list[float] = []
        unknown: list[float] = []
        for _ in range(15):
            await pool.execute("DELETE FROM lockouts")
            known.append(await seconds(api, user.email))
            unknown.append(await seconds(api, "nobody@example.com"))
        assert 0.8 < median(known) / median(unknown) < 1.25


async def seconds(api: Api, email: str) -> float:
    began = time.perf_counter()
    assert (await login(api, email)).status_code == 401
    return time.perf_counter() - began


async def test_two_replicas_together_tell_no_more_than_one(database: str, redis_url: str) -> None:
    settings = settings_for(database, redis_url)
    async with running(settings) as one, running(settings) as other:
        user = await one.register()
        tries = [
            login(api, user.email, PASSWORD if number > 30 else "wrong") for number in range(40) for api in (one, other)
        ]
        answers = await asyncio.gather(*tries)
    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 75}
