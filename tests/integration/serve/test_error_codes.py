"""Every error code of the API is produced by a request, and there is no other."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest

from agentauri.accounts.lockout import ALLOWANCE
from agentauri.serve.openapi import ERROR_CODES
from agentauri.serve.problems import TITLES, TYPE_PREFIX
from tests.integration.serve.conftest import PASSWORD, Api, User, running, settings_for

SMALL = {"rate_limits": {"mode": "enforce", "mail": 1}, "limits": {"free": {"triggers": 0}}}
MAX_BODY = 2**20
TRIGGER = {"name": "t", "match_all": True}


@pytest.fixture
async def small(database: str, redis_url: str) -> AsyncIterator[Api]:
    """The application with limits that are soon reached."""
    async with running(settings_for(database, redis_url, **SMALL)) as started:
        yield started


async def invalid_request(_: Api, user: User) -> httpx2.Response:
    return await user.call("POST", "/triggers", json={})


async def unauthenticated(api: Api, _: User) -> httpx2.Response:
    return await api.client.get("/api/v1/triggers")


async def forbidden(api: Api, user: User) -> httpx2.Response:
    key = (await user.call("POST", "/api-keys", json={"name": "k", "permissions": ["events:read"]})).json()["data"]
    return await api.client.get("/api/v1/triggers", headers={"X-API-Key": key["key"]})


async def not_found(api: Api, _: User) -> httpx2.Response:
    return await api.client.get("/api/v1/nothing")


async def method_not_allowed(api: Api, _: User) -> httpx2.Response:
    return await api.client.put("/api/v1/triggers")


async def conflict(api: Api, user: User) -> httpx2.Response:
    return await api.client.post("/api/v1/auth/register", json={"email": user.email, "password": PASSWORD})


async def limit_reached(_: Api, user: User) -> httpx2.Response:
    return await user.call("POST", "/triggers", json=TRIGGER)


async def idempotency_mismatch(_: Api, user: User) -> httpx2.Response:
    headers = {"Idempotency-Key": "once"}
    await user.call("POST", "/organizations", json={"name": "a"}, headers=headers)
    return await user.call("POST", "/organizations", json={"name": "b"}, headers=headers)


async def payload_too_large(api: Api, _: User) -> httpx2.Response:
    return await api.client.post("/api/v1/auth/login", content=b" " * (MAX_BODY + 1))


async def unsupported_media_type(api: Api, _: User) -> httpx2.Response:
    return await api.client.post("/api/v1/auth/login", content=b"{}", headers={"Content-Type": "text/plain"})


async def rate_limited(api: Api, user: User) -> httpx2.Response:
    await api.client.post("/api/v1/auth/password/forgot", json={"email": user.email})
    return await api.client.post("/api/v1/auth/password/forgot", json={"email": user.email})


async def account_locked(api: Api, user: User) -> httpx2.Response:
    for _ in range(ALLOWANCE):
        await api.client.post("/api/v1/auth/login", json={"email": user.email, "password": "wrong"})
    return await api.client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})


async def unavailable(api: Api, user: User) -> httpx2.Response:
    await user.call("GET", "/triggers")
    await api.app.state.context.pool.close()
    return await user.call("GET", "/triggers")


async def internal(api: Api, user: User) -> httpx2.Response:
    api.app.state.context.pool = None
    return await user.call("GET", "/triggers")


Producer = Callable[[Api, User], Awaitable[httpx2.Response]]
PRODUCERS: tuple[Producer, ...] = (
    invalid_request, unauthenticated, forbidden, not_found, method_not_allowed, conflict, limit_reached,
    idempotency_mismatch, payload_too_large, unsupported_media_type, rate_limited, account_locked, unavailable,
    internal,
)  # fmt: skip
"""In this order: the last two break the application."""


async def test_every_code_is_produced_and_there_is_no_other(small: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    user = await small.register()
    monkeypatch.setattr(small.app.state.context, "pool", small.app.state.context.pool)  # given back at the end
    produced = {}
    for producer in PRODUCERS:
        answer = await producer(small, user)
        body = answer.json()
        code = body["error"]
        assert code == producer.__name__, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (body["type"], body["title"]) == (TYPE_PREFIX + code, TITLES[code])
        assert body["status"] == answer.status_code
        produced[code] = answer.status_code
    assert set(produced) == set(TITLES)
    assert all(produced[code] == status for status, code in ERROR_CODES.items())
