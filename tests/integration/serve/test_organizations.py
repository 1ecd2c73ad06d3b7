"""Organizations over HTTP: made, renamed, deleted, and nobody else's."""

from uuid import uuid4

import pytest

from agentauri.accounts.roles import Scope
from agentauri.serve.organizations import service
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.support.teams import id_of, make_team, refusal


async def make_key(user: User, *scopes: Scope, **headers: str) -> dict[str, str]:
    body = {"name": "k", "permissions": list(scopes)}
    key = (await user.call("POST", "/api-keys", json=body, headers=headers)).json()["data"]["key"]
    return {"X-API-Key": key}


async def test_creator_owns_the_organization_and_sees_its_secret_once(user: User) -> None:
    made = (await user.call("POST", "/organizations", json={"name": "  Team "})).json()["data"]
    assert (made["name"], made["role"], made["personal"], made["paused_at"]) == ("Team", "owner", False, None)
    assert made["webhook_secret"].startswith("whsec_")
    got = (await user.call("GET", f"/organizations/{made['id']}")).json()["data"]
    assert got == {name: value for name, value in made.items() if name != "webhook_secret"}
    listed = (await user.call("GET", "/organizations")).json()
    assert [one["personal"] for one in listed["data"]] == [True, False]
    assert (listed["data"][1], listed["pagination"]["total"]) == (got, 2)
    assert (await user.call("GET", "/organizations?limit=1&offset=1")).json()["data"] == [got]


async def test_new_organization_can_be_acted_in_at_once(user: User) -> None:
    made = (await user.call("POST", "/organizations", json={"name": "Team"})).json()["data"]
    headers = {"X-Organization-ID": made["id"]}
    trigger = (await user.call("POST", "/triggers", json=EXAMPLE_TRIGGER, headers=headers)).json()["data"]
    assert trigger["organization_id"] == made["id"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "a\r\nBcc: b@example.com", "a\u0000b", "a\u202eb", None, 7])
async def test_unusable_name_is_refused(user: User, name: object) -> None:
    answer = await user.call("POST", "/organizations", json={"name": name})
    assert refusal(answer) == (400, "invalid_request")
    assert refusal(await user.call("PATCH", f"/organizations/{user.organization_id}", json={"name": name}))[0] == 400


async def test_name_can_be_changed_and_the_change_is_on_record(user: User) -> None:
    path = f"/organizations/{user.organization_id}"
    assert (await user.call("PATCH", path, json={"name": "Mine"})).json()["data"]["name"] == "Mine"
    assert (await user.call("PATCH", path, json={})).json()["data"]["name"] == "Mine"
    entries = (await user.call("GET", f"{path}/audit")).json()["data"]
    assert [entry["details"]["to"] for entry in entries if entry["action"] == "organization.renamed"] == ["Mine"]


async def test_number_of_owned_organizations_is_bounded(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_OWNED", 1)
    assert (await user.call("POST", "/organizations", json={"name": "A"})).status_code == 201
    assert refusal(await user.call("POST", "/organizations", json={"name": "B"})) == (403, "limit_reached")


async def test_same_idempotency_key_makes_one_organization(user: User) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await user.call("POST", "/organizations", json={"name": "A"}, headers=headers)
    again = await user.call("POST", "/organizations", json={"name": "A"}, headers=headers)
    assert again.json() == first.json()
    assert (await user.call("GET", "/organizations")).json()["pagination"]["total"] == 2


async def test_personal_organization_is_not_deleted_left_handed_over_nor_shared(api: Api, user: User) -> None:
    other, path = await api.register(), f"/organizations/{user.organization_id}"
    assert refusal(await user.call("DELETE", path)) == (409, "conflict")
    assert refusal(await user.call("POST", f"{path}/leave")) == (409, "conflict")
    body = {"user_id": id_of(other)}
    assert refusal(await user.call("POST", f"{path}/transfer", json=body)) == (409, "conflict")
    assert refusal(await user.call("POST", f"{path}/members", json=body)) == (409, "conflict")
    assert refusal(await user.call("POST", f"{path}/members", json={"email": "x@example.com"})) == (409, "conflict")


async def test_deleted_organization_is_gone_for_everybody_and_its_triggers_leave_the_log(api: Api, pool: Pool) -> None:
    team = await make_team(api)
    headers = {"X-Organization-ID": team.id}
    key = await make_key(team.owner, Scope.ORGANIZATION_READ, **headers)
    await team.owner.call("POST", "/triggers", json=EXAMPLE_TRIGGER, headers=headers)
    for user in (team.admin, team.member, team.viewer):
        assert refusal(await user.call("DELETE", team.path)) == (403, "forbidden")
    assert (await team.owner.call("DELETE", team.path)).status_code == 204
    for user in (team.owner, team.admin, team.member, team.viewer):
        assert refusal(await user.call("GET", team.path)) == (404, "not_found")
    assert refusal(await team.owner.call("GET", "/triggers", headers=headers)) == (404, "not_found")
    assert (await api.client.get("/api/v1/organizations", headers=key)).status_code == 401
    newest = "SELECT definition FROM trigger_versions ORDER BY from_seq DESC LIMIT 1"
    assert (await pool.fetchval("SELECT count(*) FROM triggers"), await pool.fetchval(newest)) == (0, None)


async def test_foreign_and_unknown_organizations_are_not_found(api: Api) -> None:
    team, stranger = await make_team(api), await api.register()
    for path in (team.path, f"/organizations/{uuid4()}"):
        for method, rest, body in [
            ("GET", "", None), ("PATCH", "", {"name": "x"}), ("DELETE", "", None), ("GET", "/members", None),
            ("POST", "/members", {"user_id": id_of(stranger)}), ("GET", f"/members/{id_of(team.owner)}", None),
            ("PATCH", f"/members/{id_of(team.owner)}", {"role": "viewer"}),
            ("DELETE", f"/members/{id_of(team.owner)}", None), ("GET", "/invitations", None),
            ("DELETE", f"/invitations/{uuid4()}", None), ("POST", "/leave", None),
            ("POST", "/transfer", {"user_id": id_of(stranger)}), ("POST", "/pause", None), ("POST", "/resume", None),
            ("GET", "/usage", None), ("GET", "/audit", None),
        ]:  # fmt: skip
            answer = await stranger.call(method, path + rest, json=body)
            assert refusal(answer) == (404, "not_found"), (method, rest)


async def test_key_sees_its_own_organization_alone_and_makes_none(api: Api, user: User) -> None:
    key = await make_key(user, Scope.ORGANIZATION_READ)
    await user.call("POST", "/organizations", json={"name": "Other"})
    listed = (await api.client.get("/api/v1/organizations", headers=key)).json()
    assert [(one["id"], one["role"]) for one in listed["data"]] == [(user.organization_id, "admin")]
    refused = await api.client.post("/api/v1/organizations", headers=key, json={"name": "x"})
    assert refusal(refused) == (403, "forbidden")
    path = f"/api/v1/organizations/{user.organization_id}"
    assert refusal(await api.client.post(f"{path}/leave", headers=key)) == (403, "forbidden")
    assert refusal(await api.client.patch(path, headers=key, json={"name": "x"})) == (403, "forbidden")
    assert refusal(await api.client.delete(path, headers=key)) == (403, "forbidden")
