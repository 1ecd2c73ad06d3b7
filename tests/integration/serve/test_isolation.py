"""No route of the OpenAPI document gives or does anything with what belongs to another organization.

Every operation whose path names something is called by a stranger, with a token and with a key of all scopes, and
must answer 404 (or refuse the kind of credentials); every list is read and must not hold any of the owner's ids.
A parameter that this test does not know fails it, so that a new resource cannot be forgotten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.accounts.roles import Scope
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CONTRACT, Api, User
from tests.support.openapi import Document

TRIGGER = {
    "name": "mine",
    "conditions": [{"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 60}],
    "actions": [{"action_type": "rest", "config": {"url": "http://127.0.0.1:9900/secret-hook"}}],
}
PUBLIC = {"event_id", "chain_id"}
"""What is the same for everybody."""
SESSION_ENDS = {"logout", "delete_me"}
BODIES: dict[str, Any] = {
    "create_trigger": TRIGGER,
    "change_trigger": {"name": "taken over"},
    "test_trigger": {"last": 1},
    "create_trigger_condition": {"condition_type": "score_threshold", "operator": "<", "value": 1},
    "create_trigger_action": {"action_type": "rest", "config": {"url": "http://127.0.0.1:9900/taken"}},
}
"""Bodies that fit; other operations get what their schema's first example or an empty object offers."""


@dataclass
class Owned:
    """What the owner has, by the names of path parameters."""

    ids: dict[str, str]


async def own(user: User, pool: Pool) -> Owned:
    """One of everything, made by ``user``."""
    trigger = (await user.call("POST", "/triggers", json=TRIGGER)).json()["data"]
    wanted = {"name": "k", "permissions": ["triggers:read"]}
    key = (await user.call("POST", "/api-keys", json=wanted)).json()["data"]["id"]
    client = (await user.call("POST", "/oauth/clients", json=wanted)).json()["data"]["id"]
    secret = (await user.call("POST", "/webhook-secrets")).json()["data"]["id"]
    session = str(
        await pool.fetchval("SELECT id FROM sessions WHERE user_id = $1", UUID(user.registered["user"]["id"]))
    )
    delivery, invitation, test = uuid4(), uuid4(), uuid4()
    await pool.execute(
        """INSERT INTO trigger_tests (id, organization_id, definition, actions, total)
           VALUES ($1, $2, '{}', '[]', 0)""",
        test,
        UUID(user.organization_id),
    )
    await pool.execute(
        """INSERT INTO invitations (id, organization_id, email, role, token_sha256, expires_at)
           VALUES ($1, $2, 'guest@example.com', 'member', '\\x00', now() + interval '1 day')""",
        invitation,
        UUID(user.organization_id),
    )
    await pool.execute(
        """INSERT INTO deliveries (
               id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane, status,
               context)
           SELECT $1, organization_id, trigger_id, id, $2, 1, action_type, destination, lane, 'dead', '{}'
           FROM trigger_actions""",
        delivery,
        uuid4(),
    )
    return Owned(
        {
            "organization_id": user.organization_id,
            "trigger_id": trigger["id"],
            "test_id": str(test),
            "condition_id": trigger["conditions"][0]["id"],
            "action_id": trigger["actions"][0]["id"],
            "delivery_id": str(delivery),
            "invitation_id": str(invitation),
            "key_id": key,
            "client_id": client,
            "secret_id": secret,
            "session_id": session,
            "user_id": user.registered["user"]["id"],
        }
    )


def operations(with_parameters: bool) -> Iterator[tuple[str, str, Document]]:
    for path, method, operation in CONTRACT.operations():
        if (
            operation.get("security")
            and ("{" in path) == with_parameters
            and operation["operationId"] not in SESSION_ENDS
        ):
            yield method.upper(), path.removeprefix("/api/v1"), operation


def parameters(operation: Document) -> set[str]:
    return {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}


def required_ids(operation: Document) -> list[str]:
    return [one["name"] for one in operation.get("parameters", []) if one["in"] == "query" and one["required"]]


@pytest.fixture
async def stranger(api: Api) -> User:
    return await api.register()


async def key_of(user: User) -> dict[str, str]:
    made = await user.call("POST", "/api-keys", json={"name": "all", "permissions": list(Scope)})
    return {"X-API-Key": made.json()["data"]["key"]}


async def test_nothing_of_another_organization_can_be_reached_by_its_id(
    api: Api, user: User, stranger: User, pool: Pool
) -> None:
    owned = await own(user, pool)
    before = await contents(pool)
    by_key = await key_of(stranger)
    by_token = {"Authorization": f"Bearer {stranger.token}"}
    named = {**by_token, "X-Organization-ID": stranger.organization_id}
    for method, path, operation in operations(with_parameters=True):
        if parameters(operation) <= PUBLIC:
            continue
        for headers in (by_token, named, by_key):
            filled = path.format(**owned.ids, event_id=uuid4(), chain_id=1)
            body = BODIES.get(operation["operationId"], {}) if "requestBody" in operation else None
            query = {name: str(uuid4()) for name in required_ids(operation)}
            answer = await api.client.request(method, f"/api/v1{filled}", headers=headers, json=body, params=query)
            refused = {404} if "bearer" in operation["security"][0] else {403, 404}
            assert answer.status_code in refused, f"{method} {path}: {answer.status_code} {answer.text}"
            assert "secret-hook" not in answer.text
    assert await contents(pool) == before


async def contents(pool: Pool) -> list[str]:
    """Everything that a stranger could have changed."""
    tables = (
        "triggers",
        "trigger_conditions",
        "trigger_actions",
        "deliveries",
        "webhook_secrets",
        "organizations",
        "members",
        "invitations",
        "sessions",
    )
    return [str(await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")) for table in tables]


async def test_lists_hold_nothing_of_another_organization(api: Api, user: User, stranger: User, pool: Pool) -> None:
    owned = await own(user, pool)
    by_key = await key_of(stranger)
    for method, path, _operation in operations(with_parameters=False):
        if method != "GET" or "stream" in path:
            continue
        for headers in ({"Authorization": f"Bearer {stranger.token}"}, by_key):
            answer = await api.client.get(f"/api/v1{path}", headers=headers)
            assert answer.status_code in {200, 302, 403, 404}, f"{path}: {answer.status_code}"
            found = [name for name, id_ in owned.ids.items() if id_ in answer.text]
            assert not found, f"{path} shows {found}"


async def test_foreign_organization_in_the_header_is_not_found_anywhere(api: Api, user: User, stranger: User) -> None:
    headers = {"X-Organization-ID": user.organization_id}
    for method, path, operation in operations(with_parameters=False):
        if "bearer" not in operation["security"][0] or method != "GET" or "stream" in path:
            continue
        assert (await stranger.call("GET", path, headers=headers)).status_code == 404, path
        answer = await api.client.get(f"/api/v1{path}", headers={**headers, **await key_of(stranger)})
        assert answer.status_code == 404, path
