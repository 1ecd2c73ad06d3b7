"""Invitations over HTTP: for one verified address, once, for a while, and as long as their writer may write them."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID

import pytest

from agentauri.config import build
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.support.smtp import Inbox
from tests.support.teams import Team, id_of, make_team, refusal, roles_of

ACCEPT = "/organizations/invitations/accept"


async def verified(api: Api, pool: Pool) -> User:
    user = await api.register()
    await pool.execute("UPDATE users SET email_verified_at = now() WHERE id = $1", UUID(id_of(user)))
    return user


async def invite(team: Team, by: User, email: str, role: str = "member") -> dict[str, Any]:
    answer = await by.call("POST", f"{team.path}/members", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


async def test_invited_person_becomes_a_member_once(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    made = await invite(team, team.admin, guest.email.upper(), "viewer")
    accepted = (await guest.call("POST", ACCEPT, json={"token": made["token"]})).json()["data"]
    assert (accepted["id"], accepted["role"]) == (team.id, "viewer")
    assert (await guest.call("GET", team.path)).json()["data"]["role"] == "viewer"
    assert (await guest.call("POST", f"{team.path}/leave")).status_code == 204
    assert refusal(await guest.call("POST", ACCEPT, json={"token": made["token"]})) == (404, "not_found")


async def test_token_rests_as_a_hash_and_is_shown_once(api: Api, pool: Pool) -> None:
    team = await make_team(api)
    made = await invite(team, team.admin, "guest@example.com")
    stored = await pool.fetchrow("SELECT * FROM invitations")
    assert stored is not None
    assert stored["token_sha256"] == hashlib.sha256(made["token"].encode()).digest()
    listed = (await team.admin.call("GET", f"{team.path}/invitations")).json()
    assert listed["data"] == [{name: value for name, value in made.items() if name != "token"}]
    assert made["token"] not in str((await team.admin.call("GET", f"{team.path}/audit")).json())


async def test_unverified_address_accepts_nothing(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await api.register()
    made = await invite(team, team.admin, guest.email)
    assert refusal(await guest.call("POST", ACCEPT, json={"token": made["token"]})) == (403, "forbidden")
    await pool.execute("UPDATE users SET email_verified_at = now() WHERE id = $1", UUID(id_of(guest)))
    assert (await guest.call("POST", ACCEPT, json={"token": made["token"]})).status_code == 200


async def test_other_persons_token_is_of_no_use_and_stays_good(api: Api, pool: Pool) -> None:
    team, guest, thief = await make_team(api), await verified(api, pool), await verified(api, pool)
    made = await invite(team, team.admin, guest.email)
    stolen = await thief.call("POST", ACCEPT, json={"token": made["token"]})
    assert refusal(stolen) == (403, "forbidden")
    assert guest.email not in stolen.text
    assert (await guest.call("POST", ACCEPT, json={"token": made["token"]})).status_code == 200


async def test_token_that_is_accepted_twice_at_once_counts_once(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    token = (await invite(team, team.admin, guest.email))["token"]
    answers = await asyncio.gather(*(guest.call("POST", ACCEPT, json={"token": token}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


async def test_expired_revoked_and_replaced_invitations_are_void(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    replaced = await invite(team, team.admin, guest.email)
    revoked = await invite(team, team.admin, guest.email)
    path = f"{team.path}/invitations/{revoked['id']}"
    assert (await team.admin.call("DELETE", path)).status_code == 204
    assert refusal(await team.admin.call("DELETE", path)) == (404, "not_found")
    expired = await invite(team, team.admin, guest.email)
    await pool.execute("UPDATE invitations SET expires_at = now() - interval '1 s'")
    for made in (replaced, revoked, expired):
        assert refusal(await guest.call("POST", ACCEPT, json={"token": made["token"]})) == (404, "not_found")
    assert (await team.admin.call("GET", f"{team.path}/invitations")).json()["data"] == []


@pytest.mark.parametrize("token", ["x", "auri_" + "A" * 43, "é", "A" * 128])
async def test_made_up_token_is_not_found(api: Api, user: User, token: str) -> None:
    assert refusal(await user.call("POST", ACCEPT, json={"token": token})) == (404, "not_found")


async def test_invitation_ends_with_its_writers_right_to_write_it(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    by_removed = await invite(team, team.admin, guest.email)
    await team.owner.call("DELETE", team.of(team.admin))
    assert refusal(await guest.call("POST", ACCEPT, json={"token": by_removed["token"]})) == (404, "not_found")
    for_owner = await invite(team, team.owner, guest.email, "owner")
    kept = await invite(team, team.owner, "kept@example.com")
    await team.owner.call("POST", f"{team.path}/transfer", json={"user_id": id_of(team.member)})
    assert refusal(await guest.call("POST", ACCEPT, json={"token": for_owner["token"]})) == (404, "not_found")
    left = (await team.member.call("GET", f"{team.path}/invitations")).json()["data"]
    assert [one["id"] for one in left] == [kept["id"]]


async def test_admin_does_not_revoke_an_owners_invitation_of_an_owner(api: Api) -> None:
    team = await make_team(api)
    made = await invite(team, team.owner, "guest@example.com", "owner")
    path = f"{team.path}/invitations/{made['id']}"
    assert refusal(await team.admin.call("DELETE", path)) == (403, "forbidden")
    assert (await team.owner.call("DELETE", path)).status_code == 204


async def test_address_of_a_member_is_not_invited(api: Api) -> None:
    team = await make_team(api)
    body = {"email": team.viewer.email.upper()}
    assert refusal(await team.admin.call("POST", f"{team.path}/members", json=body)) == (409, "conflict")


async def test_who_is_a_member_already_keeps_the_role(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    made = await invite(team, team.admin, guest.email, "viewer")
    await team.owner.call("POST", f"{team.path}/members", json={"user_id": id_of(guest), "role": "admin"})
    assert refusal(await guest.call("POST", ACCEPT, json={"token": made["token"]})) == (409, "conflict")
    assert (await roles_of(pool, team))[UUID(id_of(guest))] == "admin"


async def test_members_and_open_invitations_count_against_the_plan(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    bounds = build({"limits": {"free": {"members": 5}}}).limits
    api.app.state.context.settings = api.app.state.context.settings.model_copy(update={"limits": bounds})
    made = await invite(team, team.admin, guest.email)
    other = await api.register()
    for body in ({"user_id": id_of(other)}, {"email": "one.more@example.com"}):
        answer = await team.admin.call("POST", f"{team.path}/members", json=body)
        assert refusal(answer) == (403, "limit_reached")
        assert "5 members" in answer.json()["detail"]
    assert (await guest.call("POST", ACCEPT, json={"token": made["token"]})).status_code == 200


async def test_invitation_into_a_deleted_organization_is_void(api: Api, pool: Pool) -> None:
    team, guest = await make_team(api), await verified(api, pool)
    made = await invite(team, team.admin, guest.email)
    await team.owner.call("DELETE", team.path)
    assert refusal(await guest.call("POST", ACCEPT, json={"token": made["token"]})) == (404, "not_found")


async def test_the_invited_person_gets_a_mail_with_the_token(mailed: Api, inbox: Inbox) -> None:
    team = await make_team(mailed)
    made = await invite(team, team.admin, "guest@example.com")
    await mailed.app.state.context.mailer.flush()
    (mail,) = inbox.to("guest@example.com")
    assert made["token"] in mail.get_content()
