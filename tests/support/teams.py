"""Organizations with several members, for tests of the API."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2

from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User

ROLES = ("owner", "admin", "member", "viewer")


def id_of(user: User) -> str:
    """The user's id."""
    return str(user.registered["user"]["id"])


@dataclass
class Team:
    """An organization and one user of each role in it."""

    id: str
    owner: User
    admin: User
    member: User
    viewer: User
    made: dict[str, Any]

    @property
    def path(self) -> str:
        """Where it stands in the API."""
        return f"/organizations/{self.id}"

    def of(self, user: User) -> str:
        """Where a member stands in the API."""
        return f"{self.path}/members/{id_of(user)}"


async def make_team(api: Api) -> Team:
    """A fresh organization with four users."""
    owner, admin, member, viewer = [await api.register() for _ in ROLES]
    made = (await owner.call("POST", "/organizations", json={"name": "Team"})).json()["data"]
    for role, user in zip(ROLES[1:], (admin, member, viewer), strict=True):
        body = {"user_id": id_of(user), "role": role}
        answer = await owner.call("POST", f"/organizations/{made['id']}/members", json=body)
        assert answer.status_code == 201, answer.text
    return Team(made["id"], owner, admin, member, viewer, made)


async def roles_of(pool: Pool, team: Team) -> dict[UUID, str]:
    """Who is what in the team's organization."""
    rows = await pool.fetch("SELECT user_id, role FROM members WHERE organization_id = $1", UUID(team.id))
    return {row["user_id"]: row["role"] for row in rows}


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status_code, answer.json()["error"]
