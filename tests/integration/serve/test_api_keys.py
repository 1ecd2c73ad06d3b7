"""API keys: what they may do, how they are rotated and revoked, and what of them can be read afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from agentauri.accounts.api_keys import Environment, make_key
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.support.waiting import eventually

READ = ["triggers:read"]


async def make(user: User, **more: object) -> dict[str, Any]:
    answer = await user.call("POST", "/api-keys", json={"name": "robot", "permissions": READ, **more})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def get(api: Api, path: str, key: str, **headers: str) -> httpx2.Response:
    return await api.client.get(f"/api/v1{path}", headers={"X-API-Key": key, **headers})


async def test_key_works_in_either_header_within_its_scopes(api: Api, user: User) -> None:
    key = (await make(user))["key"]
    assert (await get(api, "/triggers", key)).status_code == 200
    bearer = {"Authorization": f"Bearer {key}"}
    assert (await api.client.get("/api/v1/triggers", headers=bearer)).status_code == 200
    assert (await get(api, "/events", key)).json()["error"] == "forbidden"
    assert (await get(api, "/auth/me", key)).status_code == 403


async def test_text_of_a_key_is_shown_once_and_stored_nowhere(user: User, pool: Pool) -> None:
    made = await make(user)
    for path in ("/api-keys", f"/api-keys/{made['id']}"):
        assert made["key"] not in (await user.call("GET", path)).text
    rows = await pool.fetch("SELECT row_to_json(k)::text FROM api_keys AS k")
    assert made["key"] not in str(rows)
    assert made["key"].startswith(made["prefix"])


async def test_key_acts_in_its_own_organization_alone(api: Api, user: User) -> None:
    other = await api.register()
    key = (await make(user))["key"]
    answer = await get(api, "/triggers", key, **{"X-Organization-ID": other.organization_id})
    assert answer.status_code == 404
    answer = await get(api, "/triggers", key, **{"X-Organization-ID": user.organization_id})
    assert answer.status_code == 200


async def test_wrong_keys_are_refused_and_ill_formed_ones_without_a_query(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await get(api, "/triggers", make_key(Environment.LIVE).text)).status_code == 401
    monkeypatch.setattr(api.app.state.context.access, "_pool", None)
    text = make_key(Environment.LIVE).text
    for wrong in (
        "",
        "aur_live_",
        text[:-1],
        text[:-1] + "!",
        text[:-1] + ("a" if text[-1] != "a" else "b"),
        "x" * 5000,
    ):
        assert (await get(api, "/triggers", wrong)).status_code == 401


async def test_revoked_key_is_refused_within_a_second_and_stays_in_the_list(api: Api, user: User) -> None:
    made = await make(user)
    assert (await get(api, "/triggers", made["key"])).status_code == 200
    for _ in range(2):
        answer = await user.call("DELETE", f"/api-keys/{made['id']}", json={"reason": "published"})
        assert answer.status_code == 204

    async def refused() -> bool:
        return (await get(api, "/triggers", made["key"])).status_code == 401

    await eventually(refused, seconds=1.0)
    shown = (await user.call("GET", f"/api-keys/{made['id']}")).json()["data"]
    assert (shown["revoked_reason"], shown["revoked_at"] is None) == ("published", False)
    assert (await user.call("PATCH", f"/api-keys/{made['id']}", json={"name": "x"})).status_code == 409
    listed = (await user.call("GET", "/api-keys?state=active")).json()
    assert listed["pagination"]["total"] == 0


async def test_rotation_ends_the_old_text_at_once_or_after_its_grace(api: Api, user: User, pool: Pool) -> None:
    first = await make(user)
    second = (await user.call("POST", f"/api-keys/{first['id']}/rotate", json={"grace_hours": 1})).json()["data"]
    assert second["id"] == first["id"]
    for key in (first["key"], second["key"]):
        assert (await get(api, "/triggers", key)).status_code == 200
    third = (await user.call("POST", f"/api-keys/{first['id']}/rotate")).json()["data"]

    async def only_the_third() -> bool:
        found = [(await get(api, "/triggers", one["key"])).status_code for one in (first, second, third)]
        return found == [401, 401, 200]

    await eventually(only_the_third, seconds=1.0)
    fourth = (await user.call("POST", f"/api-keys/{first['id']}/rotate", json={"grace_hours": 24})).json()["data"]
    await pool.execute("UPDATE api_keys SET previous_until = now()")

    async def only_the_fourth() -> bool:
        return [(await get(api, "/triggers", one["key"])).status_code for one in (third, fourth)] == [401, 200]

    await eventually(only_the_fourth, seconds=1.0)


async def test_expired_key_is_refused(api: Api, user: User, pool: Pool) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    key = (await make(user, expires_at=soon))["key"]
    assert (await get(api, "/triggers", key)).status_code == 200
    await pool.execute("UPDATE api_keys SET expires_at = now()")

    async def refused() -> bool:
        return (await get(api, "/triggers", key)).status_code == 401

    await eventually(refused, seconds=1.0)
    past = await user.call(
        "POST", "/api-keys", json={"name": "x", "permissions": READ, "expires_at": "2020-01-01T00:00Z"}
    )
    assert past.json()["errors"][0]["pointer"] == "/expires_at"


async def test_allow_list_holds_for_the_address_that_our_proxy_states(api: Api, user: User) -> None:
    made = await make(user, ip_allow=["203.0.113.7/24", "2001:db8::1"])
    assert made["ip_allow"] == ["203.0.113.0/24", "2001:db8::1/128"]
    for peer, status in [("203.0.113.99", 200), ("2001:db8::1", 200), ("198.51.100.1", 403), ("", 403)]:
        assert (await get(api, "/triggers", made["key"], **{"X-AgentAuri-Peer": peer})).status_code == status
    forged = {"X-AgentAuri-Peer": "198.51.100.1", "X-Forwarded-For": "203.0.113.99"}
    assert (await get(api, "/triggers", made["key"], **forged)).status_code == 403


async def test_key_is_no_token_and_no_token_a_key_though_it_was_used_just_now(api: Api, user: User) -> None:
    """As a cookie, a key that is remembered would reach past its allow list and the check for CSRF."""
    made = await make(user, permissions=["triggers:read", "triggers:write"], ip_allow=["203.0.113.0/24"])
    allowed = {"X-AgentAuri-Peer": "203.0.113.7"}
    assert (await get(api, "/triggers", made["key"], **allowed)).status_code == 200
    cookie = {"Cookie": f"auth-token={made['key']}"}
    for method in ("GET", "POST"):
        for peer in (allowed, {"X-AgentAuri-Peer": "198.51.100.1"}):
            answer = await api.client.request(method, "/api/v1/triggers", headers=cookie | peer)
            assert answer.status_code == 401
    assert (await user.call("GET", "/triggers")).status_code == 200
    assert (await get(api, "/triggers", user.token)).status_code == 401


async def test_nobody_gives_a_key_more_than_is_their_own(api: Api, user: User) -> None:
    key = (await make(user, permissions=["keys:write", "keys:read"]))["key"]
    headers = {"X-API-Key": key}
    wanted = {"name": "x", "permissions": ["triggers:write"]}
    answer = await api.client.post("/api/v1/api-keys", json=wanted, headers=headers)
    assert (answer.status_code, "triggers:write" in answer.json()["detail"]) == (403, True)
    strong = await make(user, permissions=["admin"])
    answer = await api.client.post(f"/api/v1/api-keys/{strong['id']}/rotate", headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("lifted", [{"ip_allow": []}, {"expires_at": None}, {"requests_per_hour": None}])
async def test_nobody_lifts_what_holds_back_a_key_that_may_do_more(
    api: Api, user: User, lifted: dict[str, object]
) -> None:
    weak = {"X-API-Key": (await make(user, permissions=["keys:write"]))["key"]}
    strong = await make(user, permissions=["admin"], ip_allow=["203.0.113.0/24"])
    path = f"/api/v1/api-keys/{strong['id']}"
    assert (await api.client.patch(path, json=lifted, headers=weak)).json()["error"] == "forbidden"
    narrowed = {"name": "x", "permissions": ["keys:write"]}
    assert (await api.client.patch(path, json=narrowed, headers=weak)).status_code == 200
    assert (await api.client.patch(path, json=lifted, headers=weak)).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"permissions": []}, "/permissions"),
        ({"permissions": ["everything"]}, "/permissions/0"),
        ({"ip_allow": ["somewhere"]}, "/ip_allow/0"),
        ({"requests_per_hour": 0}, "/requests_per_hour"),
        ({"environment": "prod"}, "/environment"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_bad_field_is_named(user: User, body: dict[str, Any], pointer: str) -> None:
    answer = await user.call("POST", "/api-keys", json={"name": "x", "permissions": READ, **body})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_uses_are_counted_in_batches(api: Api, user: User) -> None:
    made = await make(user)
    for _ in range(3):
        await get(api, "/triggers", made["key"], **{"X-AgentAuri-Peer": "203.0.113.5"})
    await api.app.state.context.key_uses.write()
    shown = (await user.call("GET", f"/api-keys/{made['id']}")).json()["data"]
    assert (shown["use_count"], shown["last_used_ip"], shown["last_used_at"] is None) == (3, "203.0.113.5", False)
    stats = (await user.call("GET", "/api-keys/stats")).json()["data"]
    assert (stats["total"], stats["active"], stats["never_used"], stats["uses"]) == (1, 1, 0, 3)


async def test_changes_are_in_the_audit_log_with_who_and_whence(user: User, pool: Pool) -> None:
    made = await make(user)
    await user.call("PATCH", f"/api-keys/{made['id']}", json={"name": "other", "requests_per_hour": 5})
    await user.call("DELETE", f"/api-keys/{made['id']}")
    rows = await pool.fetch(
        "SELECT action, user_id, target FROM audit_log WHERE action LIKE 'api_key%' ORDER BY created_at"
    )
    assert [row["action"] for row in rows] == ["api_key.created", "api_key.changed", "api_key.revoked"]
    assert {str(row["user_id"]) for row in rows} == {user.registered["user"]["id"]}
    assert {row["target"] for row in rows} == {f"api_key:{made['id']}"}
