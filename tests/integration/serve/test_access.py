"""Callers are remembered without a query, and whatever changes about them holds within a second."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx2
import pytest

from agentauri.serve import changes
from agentauri.serve.app import create_app
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, Api, User, settings_for
from tests.support.waiting import eventually


@asynccontextmanager
async def second_replica(database: str, redis_url: str) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(settings_for(database, redis_url), cost=CHEAP)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://second") as client,
    ):
        yield client


async def listening(api: Api) -> None:
    await eventually(lambda: api.app.state.context.access.changes.is_current())


async def join(pool: Pool, user: User, organization_id: str, role: str) -> None:
    await pool.execute(
        "INSERT INTO members VALUES ($1, $2, $3)",
        UUID(organization_id),
        UUID(user.registered["user"]["id"]),
        role,
    )


async def test_known_token_and_key_cost_no_query(api: Api, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    await listening(api)
    made = await user.call("POST", "/api-keys", json={"name": "k", "permissions": ["events:read"]})
    key = {"X-API-Key": made.json()["data"]["key"]}
    await user.call("GET", "/triggers")
    await api.client.get("/api/v1/events", headers=key)
    monkeypatch.setattr(api.app.state.context.access, "_pool", None)
    assert (await user.call("GET", "/triggers")).status_code == 200
    assert (await api.client.get("/api/v1/events", headers=key)).status_code == 200


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE users SET disabled_at = now()",
        "UPDATE sessions SET revoked_at = now()",
        "DELETE FROM sessions",
        "DELETE FROM users",
    ],
)
async def test_what_ends_a_session_is_heard_on_every_replica_within_a_second(
    api: Api, user: User, pool: Pool, database: str, redis_url: str, sql: str
) -> None:
    await listening(api)
    async with second_replica(database, redis_url) as other:
        headers = {"Authorization": f"Bearer {user.token}"}
        clients = (api.client, other)
        for client in clients:
            assert (await client.get("/api/v1/auth/me", headers=headers)).status_code == 200
        await pool.execute(sql)
        began = time.monotonic()
        for client in clients:

            async def refused(client: httpx2.AsyncClient = client) -> bool:
                return (await client.get("/api/v1/auth/me", headers=headers)).status_code == 401

            await eventually(refused, seconds=1.0)
        assert time.monotonic() - began < 1.0


async def test_removed_member_loses_the_organization_within_a_second(api: Api, user: User, pool: Pool) -> None:
    await listening(api)
    owner = await api.register()
    await join(pool, user, owner.organization_id, "viewer")
    header = {"X-Organization-ID": owner.organization_id}

    async def answers(status: int) -> bool:
        return (await user.call("GET", "/triggers", headers=header)).status_code == status

    await eventually(lambda: answers(200), seconds=1.0)
    await pool.execute("DELETE FROM members WHERE role = 'viewer'")
    await eventually(lambda: answers(404), seconds=1.0)


async def test_without_the_connection_callers_are_looked_up_each_time(
    api: Api, user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listening(api)
    monkeypatch.setattr(changes, "RETRY_SECONDS", 60.0)
    await user.call("GET", "/triggers")
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentauri api changes'"
        " AND datname = current_database()"
    )
    await eventually(lambda: not api.app.state.context.access.changes.is_current())
    await pool.execute("ALTER TABLE sessions DISABLE TRIGGER sessions_access")
    await pool.execute("UPDATE sessions SET revoked_at = now()")
    assert (await user.call("GET", "/triggers")).status_code == 401


async def test_answer_that_was_on_its_way_during_a_change_is_not_kept(api: Api, user: User) -> None:
    await listening(api)
    access = api.app.state.context.access
    ask = access._ask_token

    async def slow(token: str) -> object:
        answer = await ask(token)
        access.forget("user:somebody")
        return answer

    access._ask_token = slow
    assert (await user.call("GET", "/triggers")).status_code == 200
    assert access._entries == {}


async def test_resource_decides_the_organization_unless_the_header_does(api: Api, user: User, pool: Pool) -> None:
    owner = await api.register()
    body = {"name": "t", "match_all": True, "actions": []}
    made = (await owner.call("POST", "/triggers", json=body)).json()["data"]["id"]
    assert (await user.call("GET", f"/triggers/{made}")).status_code == 404
    await join(pool, user, owner.organization_id, "viewer")

    async def found() -> bool:
        return (await user.call("GET", f"/triggers/{made}")).status_code == 200

    await eventually(found, seconds=1.0)
    assert (await user.call("DELETE", f"/triggers/{made}")).status_code == 403
    mine = {"X-Organization-ID": user.organization_id}
    assert (await user.call("GET", f"/triggers/{made}", headers=mine)).status_code == 404
    assert (await user.call("GET", f"/triggers/{uuid4()}")).status_code == 404
    assert (await user.call("GET", "/triggers/nonsense")).status_code == 400


async def test_cookie_reads_freely_and_writes_with_its_token_alone(api: Api, user: User) -> None:
    context = api.app.state.context
    cookie = {"Cookie": f"auth-token={user.token}"}
    session = (await context.access.of_token(user.token)).session_id
    token = context.csrf.token(session)
    for headers, status in [({}, 403), ({"X-CSRF-Token": "x"}, 403), ({"X-CSRF-Token": token}, 201)]:
        answer = await api.client.post("/api/v1/webhook-secrets", headers={**cookie, **headers})
        assert answer.status_code == status
    assert (await api.client.get("/api/v1/triggers", headers=cookie)).status_code == 200
    foreign = context.csrf.token(uuid4())
    answer = await api.client.post("/api/v1/webhook-secrets", headers={**cookie, "X-CSRF-Token": foreign})
    assert answer.status_code == 403
