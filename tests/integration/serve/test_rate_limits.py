"""Rate limits of the whole application: who is counted, what is free, and what the answers say."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from agentauri.serve.app import create_app
from tests.integration.serve.conftest import CHEAP, CONTRACT, PASSWORD, Api, User, settings_for
from tests.support.openapi import CheckedTransport

TOKEN = "monitoring-token-of-tests"
LIMITS = {
    "mode": "enforce",
    "free": 5,
    "credentials": 3,
    "login": 100,
    "registration": 3,
    "monitoring_token": TOKEN,
}
HEADERS = {"ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
PUBLISHED = {"jwks.json", "oauth-authorization-server", "security.txt"}
FREE = {"/health", "/health/live", "/health/ready", "/openapi.json"} | {f"/.well-known/{name}" for name in PUBLISHED}


@pytest.fixture
async def strict(database: str, redis_url: str) -> AsyncIterator[Api]:
    """The application with small limits that are enforced."""
    app = create_app(settings_for(database, redis_url, rate_limits=LIMITS), cost=CHEAP)
    transport = CheckedTransport(httpx2.ASGITransport(app, raise_app_exceptions=False), CONTRACT)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Api(app, client)


async def spend(user: User) -> None:
    for _ in range(5):
        assert (await user.call("GET", "/triggers")).status_code == 200


async def test_organization_beyond_its_quota_is_refused_and_another_is_not(strict: Api) -> None:
    user, other = await strict.register(), await strict.register()
    await spend(user)
    refused = await user.call("GET", "/triggers", headers={"Origin": "http://localhost:3000"})
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers.keys() > HEADERS
    assert "RateLimit" in refused.headers["access-control-expose-headers"]
    assert (await other.call("GET", "/triggers")).headers["x-ratelimit-remaining"] == "4"


async def test_key_with_a_limit_of_its_own_is_counted_apart(strict: Api) -> None:
    user = await strict.register()
    made = await user.call(
        "POST", "/api-keys", json={"name": "k", "permissions": ["triggers:read"], "requests_per_hour": 2}
    )
    key = {"X-API-Key": made.json()["data"]["key"]}
    answers = [(await strict.client.get("/api/v1/triggers", headers=key)).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert (await user.call("GET", "/triggers")).headers["x-ratelimit-remaining"] == "3"


async def test_wrong_credentials_are_counted_by_address_and_do_not_touch_right_ones(strict: Api) -> None:
    user = await strict.register()
    wrong = [(await strict.client.get("/api/v1/triggers", headers={"X-API-Key": "x"})).status_code for _ in range(4)]
    assert wrong == [401, 401, 401, 429]
    assert (await user.call("GET", "/triggers")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nowhere", b"", 404),
        ("PUT", "/triggers", b"", 405),
        ("POST", "/auth/login", b"{", 400),
        ("POST", "/auth/login", b"{}", 400),
        ("POST", "/auth/login", b" " * (2**20 + 1), 413),
        ("GET", "/events?search=%00", b"", 400),
    ],
)
async def test_what_is_refused_before_any_route_counts_and_tells_the_limits_too(
    strict: Api, method: str, path: str, content: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"}
    answers = [
        await strict.client.request(method, f"/api/v1{path}", content=content, headers=headers) for _ in range(4)
    ]
    assert [answer.status_code for answer in answers] == [status] * 3 + [429]
    assert answers[0].headers.keys() > HEADERS


async def test_what_is_refused_later_counts_and_tells_the_limits_too(strict: Api) -> None:
    user = await strict.register()
    missing = await user.call("GET", "/triggers/11111111-1111-4111-8111-111111111111")
    foreign = await user.call("GET", "/triggers", headers={"X-Organization-ID": "11111111-1111-4111-8111-111111111111"})
    invalid = await user.call("POST", "/triggers", json={})
    assert [answer.status_code for answer in (missing, foreign, invalid)] == [404, 404, 400]
    assert [answer.headers["x-ratelimit-remaining"] for answer in (missing, foreign, invalid)] == ["4", "3", "2"]


async def test_logins_of_one_account_are_limited(strict: Api) -> None:
    body = {"email": "nobody@example.com", "password": PASSWORD}
    answers = [(await strict.client.post("/api/v1/auth/login", json=body)).json()["error"] for _ in range(11)]
    assert answers == ["unauthenticated"] * 5 + ["account_locked"] * 5 + ["rate_limited"]


async def test_registrations_of_one_address_are_limited(strict: Api) -> None:
    for _ in range(3):
        await strict.register()
    body = {"email": "one.more@example.com", "password": PASSWORD}
    assert (await strict.client.post("/api/v1/auth/register", json=body)).status_code == 429


async def test_monitoring_is_exempt(strict: Api) -> None:
    user = await strict.register()
    await spend(user)
    answer = await user.call("GET", "/triggers", headers={"X-Monitoring-Token": TOKEN})
    assert answer.status_code == 200
    assert not answer.headers.keys() & HEADERS


async def test_every_operation_is_counted_but_for_those_that_are_free(strict: Api) -> None:
    paths = (await strict.client.get("/api/v1/openapi.json")).json()["paths"]
    uncounted = {
        path.removeprefix("/api/v1")
        for path, item in paths.items()
        for operation in item.values()
        if "429" not in operation["responses"]
    }
    assert uncounted <= FREE
    for path in uncounted:
        answer = await strict.client.get(path if path.startswith("/.") else f"/api/v1{path}")
        assert not answer.headers.keys() & HEADERS
