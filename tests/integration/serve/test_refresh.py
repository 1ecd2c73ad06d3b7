"""Refresh tokens: each works once, a race gets one successor, a thief ends the session."""

import asyncio
from typing import Any

import httpx2

from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User


async def refresh(api: Api, token: str) -> httpx2.Response:
    return await api.client.post("/api/v1/auth/refresh", json={"refresh_token": token})


async def tokens(api: Api, token: str) -> dict[str, Any]:
    answer = await refresh(api, token)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_a_refresh_token_gives_new_tokens_again_and_again(api: Api, user: User) -> None:
    token = user.registered["refresh_token"]
    for _ in range(3):
        data = await tokens(api, token)
        assert data["refresh_token"] != token
        token, user.token = data["refresh_token"], data["token"]
        assert (await user.call("GET", "/auth/me")).status_code == 200


async def test_eight_at_once_get_one_successor(api: Api, user: User, pool: Pool) -> None:
    token = user.registered["refresh_token"]
    found = await asyncio.gather(*(tokens(api, token) for _ in range(8)))
    assert len({data["refresh_token"] for data in found}) == 1
    assert await pool.fetchval("SELECT count(*) FROM refresh_tokens") == 2


async def test_a_token_used_again_after_the_grace_ends_the_session(api: Api, user: User, pool: Pool) -> None:
    first = user.registered["refresh_token"]
    second = (await tokens(api, first))["refresh_token"]
    await pool.execute("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")
    assert (await refresh(api, first)).status_code == 401
    assert (await refresh(api, second)).status_code == 401
    assert await pool.fetchval("SELECT revoked_reason FROM sessions") == "refresh_token_reused"


async def test_a_token_before_the_previous_one_has_no_grace(api: Api, user: User) -> None:
    first = user.registered["refresh_token"]
    second = (await tokens(api, first))["refresh_token"]
    third = (await tokens(api, second))["refresh_token"]
    assert (await refresh(api, first)).status_code == 401
    assert (await refresh(api, third)).status_code == 401


async def test_expired_unknown_and_disabled_are_refused(api: Api, user: User, pool: Pool) -> None:
    token = user.registered["refresh_token"]
    for sql in ("UPDATE users SET disabled_at = now()", "UPDATE refresh_tokens SET expires_at = now()"):
        await pool.execute(sql)
        assert (await refresh(api, token)).status_code == 401
        await pool.execute("UPDATE users SET disabled_at = NULL")
    for unknown in ("aurr_" + "x" * 43, "x", ""):
        assert (await refresh(api, unknown)).status_code == 401


async def test_logging_out_ends_access_and_refresh_at_once(api: Api, user: User) -> None:
    assert (await user.call("GET", "/auth/me")).status_code == 200
    assert (await user.call("POST", "/auth/logout")).status_code == 204
    assert (await user.call("GET", "/auth/me")).status_code == 401
    assert (await refresh(api, user.registered["refresh_token"])).status_code == 401
