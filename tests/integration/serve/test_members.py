"""Members over HTTP: who may make whom what, and that the last owner stays whatever happens at once."""

import asyncio
from uuid import UUID, uuid4

import httpx2
import pytest

from agentauri.accounts.roles import Scope
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.support.teams import Team, id_of, make_team, refusal, roles_of


async def role(api: Api, pool: Pool, team: Team, user: User) -> str | None:
    return (await roles_of(pool, team)).get(UUID(id_of(user)))


async def test_addresses_are_masked_below_admin_but_for_ones_own(api: Api) -> None:
    team = await make_team(api)
    seen = (await team.admin.call("GET", f"{team.path}/members")).json()
    assert [one["email"] for one in seen["data"]] == [
        one.email for one in (team.owner, team.admin, team.member, team.viewer)
    ]
    assert [one["role"] for one in seen["data"]] == ["owner", "admin", "member", "viewer"]
    masked = (await team.viewer.call("GET", f"{team.path}/members?limit=4")).json()["data"]
    assert [one["email"] for one in masked] == ["u***@example.com"] * 3 + [team.viewer.email]
    single = (await team.member.call("GET", team.of(team.owner))).json()["data"]
    assert single["email"] == "u***@example.com"


async def test_added_member_reaches_the_organization_and_a_removed_one_does_not(api: Api) -> None:
    team, newcomer = await make_team(api), await api.register()
    assert (await newcomer.call("GET", team.path)).status_code == 404
    body = {"user_id": id_of(newcomer)}
    added = (await team.admin.call("POST", f"{team.path}/members", json=body)).json()["data"]
    assert (added["role"], added["user_id"]) == ("member", id_of(newcomer))
    assert (await newcomer.call("GET", team.path)).json()["data"]["role"] == "member"
    assert refusal(await team.admin.call("POST", f"{team.path}/members", json=body)) == (409, "conflict")
    assert (await team.admin.call("DELETE", team.of(newcomer))).status_code == 204
    assert (await newcomer.call("GET", team.path)).status_code == 404
    assert refusal(await team.admin.call("DELETE", team.of(newcomer))) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [{}, {"user_id": str(uuid4()), "email": "a@example.com"}, {"email": "nobody"}, {"user_id": "x"},
     {"email": "a@example.com", "role": "god"}, {"email": "a@example.com\nBcc: b@example.com"},
     {"user_id": None}, {"user_id": None, "email": "a@example.com"}],
)  # fmt: skip
async def test_unusable_body_is_refused(api: Api, body: dict[str, str | None]) -> None:
    team = await make_team(api)
    assert refusal(await team.owner.call("POST", f"{team.path}/members", json=body)) == (400, "invalid_request")


async def test_unknown_and_disabled_users_cannot_be_added(api: Api, pool: Pool) -> None:
    team, gone = await make_team(api), await api.register()
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", UUID(id_of(gone)))
    for id_ in (str(uuid4()), id_of(gone)):
        answer = await team.owner.call("POST", f"{team.path}/members", json={"user_id": id_})
        assert refusal(answer) == (404, "not_found")


@pytest.mark.parametrize("who", ["member", "viewer"])
async def test_members_and_viewers_change_nobody(api: Api, pool: Pool, who: str) -> None:
    team, stranger = await make_team(api), await api.register()
    actor: User = getattr(team, who)
    before = await roles_of(pool, team)
    for method, path, body in [
        ("POST", f"{team.path}/members", {"user_id": id_of(stranger), "role": "viewer"}),
        ("POST", f"{team.path}/members", {"email": "x@example.com"}),
        ("PATCH", team.of(actor), {"role": "owner"}),
        ("PATCH", team.of(team.viewer), {"role": "viewer"}),
        ("DELETE", team.of(team.viewer), None),
        ("POST", f"{team.path}/transfer", {"user_id": id_of(actor)}),
        ("POST", f"{team.path}/pause", None),
        ("GET", f"{team.path}/audit", None),
        ("GET", f"{team.path}/invitations", None),
        ("PATCH", team.path, {"name": "x"}),
    ]:
        assert refusal(await actor.call(method, path, json=body)) == (403, "forbidden"), (method, path)
    assert await roles_of(pool, team) == before


async def test_admin_makes_no_owner_and_touches_none(api: Api, pool: Pool) -> None:
    team, stranger = await make_team(api), await api.register()
    before = await roles_of(pool, team)
    for method, path, body in [
        ("POST", f"{team.path}/members", {"user_id": id_of(stranger), "role": "owner"}),
        ("POST", f"{team.path}/members", {"email": "x@example.com", "role": "owner"}),
        ("PATCH", team.of(team.admin), {"role": "owner"}),
        ("PATCH", team.of(team.member), {"role": "owner"}),
        ("PATCH", team.of(team.owner), {"role": "viewer"}),
        ("PATCH", team.of(team.owner), {"role": "owner"}),
        ("DELETE", team.of(team.owner), None),
        ("POST", f"{team.path}/transfer", {"user_id": id_of(team.admin)}),
        ("DELETE", team.path, None),
    ]:
        assert refusal(await team.admin.call(method, path, json=body)) == (403, "forbidden"), (method, path)
    assert await roles_of(pool, team) == before


async def test_key_of_an_admins_reach_makes_no_owner(api: Api, pool: Pool) -> None:
    team = await make_team(api)
    headers = {"X-Organization-ID": team.id}
    body = {"name": "k", "permissions": [Scope.ORGANIZATION_WRITE]}
    made = (await team.owner.call("POST", "/api-keys", json=body, headers=headers)).json()["data"]["key"]
    key = {"X-API-Key": made}
    path = f"/api/v1{team.of(team.member)}"
    assert (await api.client.patch(path, json={"role": "admin"}, headers=key)).status_code == 200
    assert refusal(await api.client.patch(path, json={"role": "owner"}, headers=key)) == (403, "forbidden")
    owner = f"/api/v1{team.of(team.owner)}"
    assert refusal(await api.client.delete(owner, headers=key)) == (403, "forbidden")


async def test_changed_role_holds_at_once(api: Api) -> None:
    team = await make_team(api)
    assert (await team.admin.call("PATCH", team.of(team.viewer), json={"role": "admin"})).status_code == 200
    assert (await team.viewer.call("GET", f"{team.path}/audit")).status_code == 200
    assert (await team.owner.call("PATCH", team.of(team.viewer), json={"role": "viewer"})).status_code == 200
    assert (await team.viewer.call("GET", f"{team.path}/audit")).status_code == 403


async def test_role_that_was_taken_away_unheard_does_nothing(api: Api, pool: Pool) -> None:
    """What a replica remembers of a caller may be a second old; the role is looked up again under the lock."""
    team = await make_team(api)
    assert (await team.admin.call("GET", f"{team.path}/audit")).status_code == 200
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE members SET role = 'viewer' WHERE user_id = $1", UUID(id_of(team.admin)))
        await connection.execute("SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE", UUID(team.id))
        task = asyncio.create_task(team.admin.call("DELETE", team.of(team.member)))
        await waits_for_lock(pool, task)
    assert refusal(await task) == (403, "forbidden")


async def waits_for_lock(pool: Pool, task: "asyncio.Task[httpx2.Response]") -> None:
    while not task.done():
        if await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return
        await asyncio.sleep(0.01)


async def test_last_owner_is_not_demoted_removed_and_does_not_leave(api: Api) -> None:
    team = await make_team(api)
    assert refusal(await team.owner.call("PATCH", team.of(team.owner), json={"role": "admin"})) == (409, "conflict")
    assert refusal(await team.owner.call("DELETE", team.of(team.owner))) == (409, "conflict")
    assert refusal(await team.owner.call("POST", f"{team.path}/leave")) == (409, "conflict")


@pytest.mark.parametrize("way", ["demote", "leave", "remove", "demote each other"])
async def test_of_two_owners_who_go_at_once_one_stays(api: Api, pool: Pool, way: str) -> None:
    team = await make_team(api)
    assert (await team.owner.call("PATCH", team.of(team.admin), json={"role": "owner"})).status_code == 200
    pair = (team.owner, team.admin)
    match way:
        case "demote":
            calls = [one.call("PATCH", team.of(one), json={"role": "viewer"}) for one in pair]
        case "leave":
            calls = [one.call("POST", f"{team.path}/leave") for one in pair]
        case "remove":
            calls = [one.call("DELETE", team.of(one)) for one in pair]
        case _:
            others = zip(pair, reversed(pair), strict=True)
            calls = [one.call("PATCH", team.of(other), json={"role": "viewer"}) for one, other in others]
    answers = await asyncio.gather(*calls)
    refused = 403 if way == "demote each other" else 409
    assert sorted(answer.status_code // 100 * 100 for answer in answers) == [200, 400]
    assert refused in {answer.status_code for answer in answers}
    assert list((await roles_of(pool, team)).values()).count("owner") == 1


async def test_member_leaves_without_a_word_to_anybody(api: Api) -> None:
    team = await make_team(api)
    assert (await team.viewer.call("POST", f"{team.path}/leave")).status_code == 204
    assert (await team.viewer.call("GET", team.path)).status_code == 404
    entries = (await team.owner.call("GET", f"{team.path}/audit")).json()["data"]
    assert (entries[0]["action"], entries[0]["target"]) == ("member.left", f"user:{id_of(team.viewer)}")


async def test_ownership_goes_to_a_member_and_its_giver_stays_as_admin(api: Api, pool: Pool) -> None:
    team, stranger = await make_team(api), await api.register()
    transfer = f"{team.path}/transfer"
    assert refusal(await team.owner.call("POST", transfer, json={"user_id": id_of(stranger)}))[0] == 404
    assert refusal(await team.owner.call("POST", transfer, json={"user_id": id_of(team.owner)}))[0] == 409
    answer = await team.owner.call("POST", transfer, json={"user_id": id_of(team.viewer)})
    assert answer.json()["data"]["role"] == "admin"
    assert await role(api, pool, team, team.viewer) == "owner"
    assert await role(api, pool, team, team.owner) == "admin"
    assert refusal(await team.owner.call("POST", transfer, json={"user_id": id_of(team.owner)}))[0] == 403
    assert (await team.viewer.call("DELETE", team.path)).status_code == 204


async def test_every_change_of_members_is_on_record(api: Api) -> None:
    team = await make_team(api)
    await team.admin.call("PATCH", team.of(team.viewer), json={"role": "member"})
    await team.admin.call("DELETE", team.of(team.viewer))
    await team.owner.call("POST", f"{team.path}/transfer", json={"user_id": id_of(team.member)})
    page = (await team.admin.call("GET", f"{team.path}/audit?limit=2")).json()
    rest = (await team.admin.call("GET", f"{team.path}/audit?cursor={page['pagination']['next_cursor']}")).json()
    entries = [*page["data"], *rest["data"]]
    assert [entry["action"] for entry in entries] == [
        "organization.transferred", "member.removed", "member.role_changed", "member.added", "member.added",
        "member.added", "organization.created",
    ]  # fmt: skip
    changed = entries[2]
    assert (changed["actor_kind"], changed["actor_id"]) == ("user", id_of(team.admin))
    assert (changed["target"], changed["details"]) == (f"user:{id_of(team.viewer)}", {"from": "viewer", "to": "member"})
