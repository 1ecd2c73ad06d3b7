"""OAuth clients: who makes them, what they may, and changes that hold at once."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.oauth.conftest import BODY, ask, call
from tests.support.waiting import eventually


async def test_a_client_is_shown_once_with_its_secret(user: User, made: dict[str, Any], pool: Pool) -> None:
    assert made["secret"].startswith(made["prefix"])
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert (await user.call("GET", f"/oauth/clients/{made['id']}")).json()["data"] == shown
    listed = (await user.call("GET", "/oauth/clients")).json()
    assert listed["data"] == [shown]
    assert listed["pagination"]["total"] == 1
    assert made["secret"] not in str(await pool.fetch("SELECT * FROM oauth_clients"))
    assert made["secret"] not in str(await pool.fetch("SELECT * FROM audit_log"))


async def test_a_client_that_is_made_again_with_the_same_key_is_the_same(user: User) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = [await user.call("POST", "/oauth/clients", json=BODY, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"


BAD_CLIENTS: list[dict[str, Any]] = [
    {}, {"name": "x"}, {**BODY, "permissions": []}, {**BODY, "permissions": ["all"]}, {**BODY, "name": ""},
    {**BODY, "name": None}, {**BODY, "name": "x" * 256}, {**BODY, "name": "a\0"},
    {**BODY, "secret": "mine"}, {**BODY, "permissions": "events:read"},
]  # fmt: skip


async def test_a_bad_client_is_refused(user: User) -> None:
    for body in BAD_CLIENTS:
        answer = await user.call("POST", "/oauth/clients", json=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), body


async def test_nobody_gives_a_client_what_they_do_not_have(api: Api, user: User, made: dict[str, Any]) -> None:
    maker = {**BODY, "permissions": ["keys:read", "keys:write", "events:read"]}
    maker = (await user.call("POST", "/oauth/clients", json=maker)).json()["data"]
    token = (await ask(api, maker)).json()["access_token"]
    more = {"permissions": ["triggers:write"]}
    for method, path, body in (
        ("POST", "/oauth/clients", BODY),
        ("PATCH", f"/oauth/clients/{maker['id']}", more),
        ("PATCH", f"/oauth/clients/{made['id']}", more),
    ):
        assert (await call(api, token, path, method, json=body)).status_code == 403
    fewer = {**BODY, "permissions": ["events:read"]}
    assert (await call(api, token, "/oauth/clients", "POST", json=fewer)).status_code == 201


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("member", 403), ("admin", 201)])
async def test_clients_are_made_by_admins(api: Api, user: User, pool: Pool, role: str, status: int) -> None:
    other = await api.register()
    await pool.execute(
        "INSERT INTO members (organization_id, user_id, role) VALUES ($1::text::uuid, $2::text::uuid, $3)",
        user.organization_id,
        other.registered["user"]["id"],
        role,
    )
    header = {"X-Organization-ID": user.organization_id}
    assert (await other.call("POST", "/oauth/clients", json=BODY, headers=header)).status_code == status
    assert (await other.call("GET", "/oauth/clients", headers=header)).status_code == 200


async def test_clients_of_others_are_not_found(api: Api, made: dict[str, Any]) -> None:
    stranger = await api.register()
    path = f"/oauth/clients/{made['id']}"
    for method, more in (("GET", {}), ("PATCH", {"json": {"name": "x"}}), ("DELETE", {})):
        assert (await stranger.call(method, path, **more)).status_code == 404
    assert (await ask(api, made)).status_code == 200


async def test_a_change_reaches_tokens_that_are_out(api: Api, user: User, made: dict[str, Any], pool: Pool) -> None:
    tokens = (await ask(api, made)).json()
    assert (await call(api, tokens["access_token"], "/triggers")).status_code == 200
    change = {"name": "Other", "permissions": ["events:read"]}
    changed = (await user.call("PATCH", f"/oauth/clients/{made['id']}", json=change)).json()["data"]
    assert (changed["name"], changed["permissions"]) == ("Other", ["events:read"])
    assert (await call(api, tokens["access_token"], "/triggers")).status_code == 403
    renewed = await ask(api, made, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert renewed.json()["scope"] == "events:read"
    actions = [row["action"] for row in await pool.fetch("SELECT action FROM audit_log ORDER BY created_at")]
    assert actions[-2:] == ["oauth_client.created", "oauth_client.changed"]


async def test_a_revoked_client_is_refused_within_a_second(
    api: Api, user: User, made: dict[str, Any], pool: Pool
) -> None:
    tokens = (await ask(api, made)).json()
    assert (await call(api, tokens["access_token"], "/triggers")).status_code == 200
    await pool.execute("UPDATE oauth_clients SET revoked_at = now()")  # as another replica does

    async def refused() -> bool:
        return (await call(api, tokens["access_token"], "/triggers")).status_code == 401

    began = datetime.now(UTC)
    await eventually(refused)
    assert (datetime.now(UTC) - began).total_seconds() < 1
    for form in ({}, {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}):
        answer = await ask(api, made, **form)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_revoking_holds_at_once_here_and_is_done_once(
    api: Api, user: User, made: dict[str, Any], pool: Pool
) -> None:
    token = (await ask(api, made)).json()["access_token"]
    assert (await call(api, token, "/triggers")).status_code == 200
    for _ in range(2):
        assert (await user.call("DELETE", f"/oauth/clients/{made['id']}")).status_code == 204
    assert (await call(api, token, "/triggers")).status_code == 401
    assert (await user.call("GET", f"/oauth/clients/{made['id']}")).json()["data"]["revoked_at"] is not None
    assert (await user.call("PATCH", f"/oauth/clients/{made['id']}", json={"name": "x"})).status_code == 404
    assert await pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'oauth_client.revoked'") == 1
    assert (await user.call("DELETE", f"/oauth/clients/{uuid4()}")).status_code == 404


async def test_a_client_acts_in_its_own_organization_alone(api: Api, user: User, made: dict[str, Any]) -> None:
    other = await api.register()
    token = (await ask(api, made)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Organization-ID": other.organization_id}
    assert (await api.client.get("/api/v1/triggers", headers=headers)).status_code == 404
    assert (await call(api, token, "/auth/me")).status_code == 403
    assert (await call(api, token, "/auth/logout", "POST")).status_code == 403


async def test_an_organization_has_a_bounded_number_of_clients(user: User, made: dict[str, Any], pool: Pool) -> None:
    await pool.execute(
        """INSERT INTO oauth_clients (id, organization_id, name, prefix, sha256, permissions)
           SELECT gen_random_uuid(), organization_id, name, prefix, sha256, permissions
           FROM oauth_clients, generate_series(2, 100)"""
    )
    answer = await user.call("POST", "/oauth/clients", json=BODY)
    assert (answer.status_code, answer.json()["error"]) == (403, "limit_reached")
