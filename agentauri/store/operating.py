"""What the operator of a deployment sees of all its users and organizations; no route of the API leads here."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.store.database import Connection

ORGANIZATIONS_SQL = """
    SELECT o.id, o.name, o.plan, o.paused_at, u.email AS personal_of,
        (SELECT count(*) FROM members AS m WHERE m.organization_id = o.id) AS members, o.created_at
    FROM organizations AS o LEFT JOIN users AS u ON u.id = o.personal_of"""
USERS_SQL = """
    SELECT id, email, email_verified_at, username, name, disabled_at, last_login_at, created_at FROM users"""


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization; ``personal_of`` is its user's e-mail where it is a personal one."""

    id: UUID
    name: str
    plan: str
    paused_at: datetime | None
    personal_of: str | None
    members: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user."""

    id: UUID
    email: str | None
    email_verified_at: datetime | None
    username: str | None
    name: str
    disabled_at: datetime | None
    last_login_at: datetime | None
    created_at: datetime


async def list_organizations(connection: Connection, *, limit: int) -> list[OrganizationRow]:
    """The newest organizations."""
    rows = await connection.fetch(f"{ORGANIZATIONS_SQL} ORDER BY o.created_at DESC, o.id LIMIT $1", limit)
    return [OrganizationRow(*row) for row in rows]


async def list_organizations_called(connection: Connection, name: str, *, limit: int) -> list[OrganizationRow]:
    """Organizations of that name, and the one of that id."""
    rows = await connection.fetch(
        f"{ORGANIZATIONS_SQL} WHERE o.name = $1 OR o.id::text = lower($1) ORDER BY o.created_at, o.id LIMIT $2",
        name,
        limit,
    )
    return [OrganizationRow(*row) for row in rows]


async def list_users(connection: Connection, *, limit: int) -> list[UserRow]:
    """The newest users."""
    rows = await connection.fetch(f"{USERS_SQL} ORDER BY created_at DESC, id LIMIT $1", limit)
    return [UserRow(*row) for row in rows]
