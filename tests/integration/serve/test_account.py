"""The own account: sessions seen and ended, changes, the export, and leaving without leaving anything behind."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.actors import maintenance
from agentauri.config import Retention
from agentauri.serve.peer import HEADER
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from agentauri.store import firings
from agentauri.store.database import Pool
from tests.integration.serve.conftest import PASSWORD, Api, User
from tests.support.smtp import Inbox

CONFIRMED = {"password": PASSWORD}


def id_of(user: User) -> UUID:
    return UUID(user.registered["user"]["id"])


async def log_in(api: Api, user: User, **headers: str) -> User:
    """The same person in another session."""
    body = {"email": user.email, "password": PASSWORD}
    answer = await api.client.post("/api/v1/auth/login", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return User(user.client, user.email, answer.json()["data"]["token"], user.organization_id, user.registered)


async def sent(api: Api) -> None:
    await api.app.state.context.mailer.flush()


async def test_sessions_are_listed_and_ended_one_by_one(api: Api, user: User, pool: Pool) -> None:
    other = await log_in(api, user, **{HEADER: "192.0.2.7", "User-Agent": "Lynx"})
    listed = (await user.call("GET", "/auth/sessions")).json()
    assert listed["pagination"] == {"total": 2, "limit": 20, "offset": 0, "has_more": False}
    found = {session["current"]: session for session in listed["data"]}
    assert (found[False]["ip"], found[False]["user_agent"], found[False]["method"]) == ("192.0.2.7", "Lynx", "password")
    assert (await user.call("DELETE", f"/auth/sessions/{found[False]['id']}")).status_code == 204
    assert (await other.call("GET", "/auth/me")).status_code == 401
    assert (await user.call("DELETE", f"/auth/sessions/{found[False]['id']}")).status_code == 404
    assert (await user.call("DELETE", f"/auth/sessions/{found[True]['id']}")).status_code == 204
    assert (await user.call("GET", "/auth/me")).status_code == 401
    assert await pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'session.revoked'") == 2


async def test_anothers_session_is_not_found(api: Api, user: User) -> None:
    other = await api.register()
    session = (await other.call("GET", "/auth/sessions")).json()["data"][0]["id"]
    assert (await user.call("DELETE", f"/auth/sessions/{session}")).status_code == 404
    assert (await other.call("GET", "/auth/me")).status_code == 200


async def test_names_change_at_once(user: User) -> None:
    answer = await user.call("PATCH", "/auth/me", json={"name": " Ada Lovelace ", "username": "Ada"})
    assert (answer.json()["data"]["name"], answer.json()["data"]["username"]) == ("Ada Lovelace", "Ada")
    answer = await user.call("PATCH", "/auth/me", json={"username": None})
    assert (answer.json()["data"]["name"], answer.json()["data"]["username"]) == ("Ada Lovelace", None)
    before = (await user.call("GET", "/auth/me")).json()
    assert (await user.call("PATCH", "/auth/me", json={})).json() == before


@pytest.mark.parametrize("change", [{"username": "ADA"}, {"email": "USER0@example.com", "current_password": PASSWORD}])
async def test_names_of_others_are_taken(api: Api, change: dict[str, Any]) -> None:
    await api.register(username="ada")
    user = await api.register()
    assert (await user.call("PATCH", "/auth/me", json=change)).status_code == 409


BAD: list[tuple[dict[str, Any], str]] = [
    ({"username": "a b"}, "/username"),
    ({"email": "nobody"}, "/email"),
    ({"email": None}, "/email"),
    ({"name": None}, "/name"),
    ({"name": "x" * 256}, "/name"),
    ({"name": "a\0"}, "/name"),
    ({"email": "a@example.com\r\nBcc: eve@example.com"}, "/email"),
    ({"email": "new@example.com"}, "/current_password"),
    ({"password": "x"}, "/password"),
]


async def test_a_bad_change_names_the_field(user: User) -> None:
    for body, pointer in BAD:
        answer = await user.call("PATCH", "/auth/me", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_new_address_holds_once_its_token_comes_back(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await sent(mailed)
    change = {"email": "New@example.com", "current_password": PASSWORD, "name": "Ada"}
    answer = await user.call("PATCH", "/auth/me", json=change)
    assert (answer.json()["data"]["email"], answer.json()["data"]["name"]) == (user.email, "Ada")
    await sent(mailed)
    assert "being changed" in inbox.to(user.email)[-1]["Subject"]
    (old,), (token,) = inbox.tokens(user.email), inbox.tokens("New@example.com")
    confirmed = await mailed.client.post("/api/v1/auth/email/verify", json={"token": token})
    assert "New@example.com" in confirmed.json()["data"]["message"]
    me = (await user.call("GET", "/auth/me")).json()["data"]
    assert (me["email"], me["email_verified"]) == ("New@example.com", True)
    for used in (old, token):
        assert (await mailed.client.post("/api/v1/auth/email/verify", json={"token": used})).status_code == 400


async def test_the_own_address_can_be_written_otherwise(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await sent(mailed)
    change = {"email": user.email.capitalize(), "current_password": PASSWORD}
    assert (await user.call("PATCH", "/auth/me", json=change)).status_code == 200
    await sent(mailed)
    (token,) = inbox.tokens(user.email.capitalize())
    assert (await mailed.client.post("/api/v1/auth/email/verify", json={"token": token})).status_code == 200
    assert (await user.call("GET", "/auth/me")).json()["data"]["email"] == user.email.capitalize()


async def test_a_new_address_takes_the_password(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    change = {"email": "new@example.com", "current_password": "wrong"}
    assert (await user.call("PATCH", "/auth/me", json=change)).status_code == 403
    await sent(mailed)
    assert not inbox.to("new@example.com")


async def test_an_address_that_was_taken_meanwhile_is_a_conflict(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await user.call("PATCH", "/auth/me", json={"email": "new@example.com", "current_password": PASSWORD})
    await sent(mailed)
    body = {"email": "NEW@example.com", "password": PASSWORD}
    assert (await mailed.client.post("/api/v1/auth/register", json=body)).status_code == 201
    await sent(mailed)
    token = inbox.tokens("new@example.com")[0]
    answer = await mailed.client.post("/api/v1/auth/email/verify", json={"token": token})
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert (await user.call("GET", "/auth/me")).json()["data"]["email"] == user.email


async def test_a_reset_calls_a_change_of_address_off(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    await user.call("PATCH", "/auth/me", json={"email": "thief@example.com", "current_password": PASSWORD})
    await sent(mailed)  # or the mail that comes last may be another one
    await mailed.client.post("/api/v1/auth/password/forgot", json={"email": user.email})
    await sent(mailed)
    body = {"token": inbox.tokens(user.email)[-1], "password": "another-horse-battery-staple"}
    assert (await mailed.client.post("/api/v1/auth/password/reset", json=body)).status_code == 200
    body = {"token": inbox.tokens("thief@example.com")[0]}
    assert (await mailed.client.post("/api/v1/auth/email/verify", json=body)).status_code == 400


async def test_an_account_asks_for_few_new_addresses(mailed: Api, inbox: Inbox) -> None:
    user = await mailed.register()
    change = {"current_password": PASSWORD}
    answers = [
        (await user.call("PATCH", "/auth/me", json={**change, "email": f"new{number}@example.com"})).status_code
        for number in range(6)
    ]
    assert answers == [200] * 5 + [429]


async def test_the_export_holds_everything_and_no_secret(api: Api, user: User, pool: Pool) -> None:
    config = {"url": "https://example.com/", "headers": {"Authorization": "hunter2"}}
    action = {"action_type": "rest", "config": config}
    made = await user.call("POST", "/triggers", json={**EXAMPLE_TRIGGER, "actions": [action]})
    await user.call("POST", "/webhook-secrets")
    key = await user.call("POST", "/api-keys", json={"name": "ci", "permissions": ["events:read"]})
    client = await user.call("POST", "/oauth/clients", json={"name": "report", "permissions": ["events:read"]})
    await pool.execute("INSERT INTO identities (provider, subject, user_id) SELECT 'google', '1', id FROM users")
    await api.register()
    answer = await user.call("GET", "/auth/me/export")
    assert answer.headers["content-disposition"].startswith("attachment")
    data = answer.json()["data"]
    assert data["profile"]["email"] == user.email
    assert [one["personal"] for one in data["memberships"]] == [True]
    assert [one["name"] for one in data["triggers"]] == [made.json()["data"]["name"]]
    assert [one["name"] for one in data["api_keys"]] == ["ci"]
    assert [one["name"] for one in data["oauth_clients"]] == ["report"]
    assert [len(data[name]) for name in ("sessions", "webhook_secrets", "identities")] == [1, 2, 1]
    assert {"user.registered", "user.logged_in"} <= {one["action"] for one in data["audit"]}
    secrets = [user.registered["webhook_secret"], user.registered["refresh_token"], user.token, "hunter2", "argon2"]
    secrets += [key.json()["data"]["key"], client.json()["data"]["secret"], "sha256", "sealed"]
    assert not [secret for secret in secrets if secret in answer.text]


async def test_an_export_of_many_pages_is_one_document(user: User, pool: Pool) -> None:
    await pool.execute(
        """INSERT INTO audit_log (id, user_id, actor_kind, action)
           SELECT gen_random_uuid(), id, 'user', 'x.done' FROM users, generate_series(1, 250)"""
    )
    await pool.execute(
        """INSERT INTO triggers (id, organization_id, name, partition)
           SELECT gen_random_uuid(), id, 'T' || n, 0 FROM organizations, generate_series(1, 200) AS n"""
    )
    data = (await user.call("GET", "/auth/me/export")).json()["data"]
    assert len([one for one in data["audit"] if one["action"] == "x.done"]) == 250
    assert len({one["name"] for one in data["triggers"]}) == 200


async def leave(user: User, **body: Any) -> int:
    headers = {"Content-Type": "application/json"}
    return (await user.call("DELETE", "/auth/me", content=json.dumps(body), headers=headers)).status_code


async def test_leaving_takes_the_password(user: User) -> None:
    assert (await user.call("DELETE", "/auth/me")).status_code == 400
    assert await leave(user, password="wrong") == 403
    assert (await user.call("GET", "/auth/me")).status_code == 200
    assert await leave(user, **CONFIRMED) == 204
    assert (await user.call("GET", "/auth/me")).status_code == 401


async def test_without_a_password_none_is_asked_for(user: User, pool: Pool) -> None:
    await pool.execute("UPDATE users SET password_hash = NULL")
    assert (await user.call("DELETE", "/auth/me")).status_code == 204


OURS = (
    "users", "sessions", "refresh_tokens", "organizations", "members", "triggers", "trigger_conditions", "api_keys",
    "trigger_actions", "deliveries", "delivery_attempts", "webhook_secrets", "trigger_ledger", "mail_tokens",
    "lockouts", "oauth_clients",
)  # fmt: skip


async def test_leaving_leaves_nothing_but_the_log(api: Api, user: User, pool: Pool) -> None:
    action = {"action_type": "rest", "config": {"url": "https://example.com/"}}
    made = (await user.call("POST", "/triggers", json={**EXAMPLE_TRIGGER, "actions": [action]})).json()["data"]
    for path in ("/api-keys", "/oauth/clients"):
        await user.call("POST", path, json={"name": "ci", "permissions": ["events:read"]})
    await fire(pool, made)
    await pool.execute("INSERT INTO trigger_ledger SELECT id, organization_id, now()::date FROM triggers")
    await pool.execute(
        """INSERT INTO delivery_attempts (delivery_id, organization_id, number, lease_token)
           SELECT id, organization_id, 1, gen_random_uuid() FROM deliveries"""
    )
    assert await leave(user, **CONFIRMED) == 204
    assert (
        await pool.fetchval(
            "SELECT count(*) FROM deliveries AS d JOIN organizations AS o ON o.id = d.organization_id "
            "WHERE o.paused_at IS NULL"
        )
        == 0
    )
    await tidy(pool)
    left = {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in OURS}
    assert left == dict.fromkeys(OURS, 0)
    versions = await pool.fetch("SELECT definition IS NULL AS off FROM trigger_versions ORDER BY from_seq")
    assert [row["off"] for row in versions] == [False, True]
    assert await pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'user.deleted'") == 1
    body = {"email": user.email, "password": PASSWORD}
    assert (await api.client.post("/api/v1/auth/login", json=body)).status_code == 401
    assert (await api.client.post("/api/v1/auth/register", json=body)).status_code == 201


async def tidy(pool: Pool) -> None:
    """A round of maintenance, which takes away what deleting left for later."""
    async with pool.acquire() as connection:
        await maintenance.round_once(connection, Retention(), datetime.now(UTC))


async def fire(pool: Pool, trigger: dict[str, Any]) -> None:
    row = firings.NewDelivery(uuid4(), UUID(trigger["id"]), UUID(trigger["actions"][0]["id"]), uuid4(), 1, {})
    async with pool.acquire() as connection:
        await firings.insert(connection, [row])


async def team(pool: Pool, *members: tuple[User, str]) -> UUID:
    """An organization with these members."""
    id_ = uuid4()
    await pool.execute("INSERT INTO organizations (id, name) VALUES ($1, 'Team')", id_)
    for user, role in members:
        await pool.execute("INSERT INTO members VALUES ($1, $2, $3)", id_, id_of(user), role)
    return id_


async def test_the_only_owner_of_a_team_stays(api: Api, user: User, pool: Pool) -> None:
    other = await api.register()
    id_ = await team(pool, (user, "owner"), (other, "admin"))
    answer = await user.call("DELETE", "/auth/me", json=CONFIRMED)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert str(id_) in answer.json()["detail"]
    assert (await user.call("GET", "/auth/me")).status_code == 200
    await pool.execute("UPDATE members SET role = 'owner' WHERE organization_id = $1", id_)
    assert await leave(user, **CONFIRMED) == 204
    assert await pool.fetchval("SELECT count(*) FROM members WHERE organization_id = $1", id_) == 1


async def test_of_two_owners_who_leave_at_once_one_stays(api: Api, user: User, pool: Pool) -> None:
    other, third = await api.register(), await api.register()
    await team(pool, (user, "owner"), (other, "owner"), (third, "viewer"))
    assert sorted(await asyncio.gather(leave(user, **CONFIRMED), leave(other, **CONFIRMED))) == [204, 409]


async def test_a_team_of_one_goes_and_a_team_of_others_stays(api: Api, user: User, pool: Pool) -> None:
    other = await api.register()
    alone = await team(pool, (user, "owner"))
    theirs = await team(pool, (other, "owner"), (user, "member"))
    assert await leave(user, **CONFIRMED) == 204
    await tidy(pool)
    left = {row["id"] for row in await pool.fetch("SELECT id FROM organizations")}
    assert left == {theirs, UUID(other.organization_id)}
    assert alone not in left


async def test_leaving_while_triggers_are_made_leaves_every_one_of_them_in_the_log(user: User, pool: Pool) -> None:
    async def make() -> None:
        for _ in range(10):
            await user.call("POST", "/triggers", json=EXAMPLE_TRIGGER)

    *_, left = await asyncio.gather(make(), make(), make(), leave(user, **CONFIRMED))
    if left == 503:  # one of two that waited for each other gave way
        left = await leave(user, **CONFIRMED)
    assert left == 204
    await tidy(pool)
    assert await pool.fetchval("SELECT count(*) FROM triggers") == 0
    living = await pool.fetchval(
        """SELECT count(*) FROM (SELECT DISTINCT ON (trigger_id) definition FROM trigger_versions
           ORDER BY trigger_id, from_seq DESC) AS newest WHERE definition IS NOT NULL"""
    )
    assert living == 0


async def test_who_left_gets_no_delivery_of_an_evaluator_that_had_not_heard(user: User, pool: Pool) -> None:
    action = {"action_type": "rest", "config": {"url": "https://example.com/"}}
    made = (await user.call("POST", "/triggers", json={**EXAMPLE_TRIGGER, "actions": [action]})).json()["data"]
    assert await leave(user, **CONFIRMED) == 204
    await fire(pool, made)
    assert await pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_keys_have_no_account(user: User) -> None:
    made = await user.call("POST", "/api-keys", json={"name": "ci", "permissions": ["admin"]})
    user.token = made.json()["data"]["key"]
    for method, path in [("GET", "/auth/sessions"), ("GET", "/auth/me/export"), ("DELETE", "/auth/me")]:
        assert (await user.call(method, path)).status_code == 403


async def test_whoever_shows_nothing_is_told_what_the_route_takes(api: Api) -> None:
    for path, takes_keys in [("/auth/me", False), ("/triggers", True)]:
        answer = await api.client.get(f"/api/v1{path}")
        assert answer.status_code == 401
        assert ("X-API-Key" in answer.json()["detail"]) is takes_keys
