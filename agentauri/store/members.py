"""The members of organizations and their roles.

Who may change whom is ``accounts/membership.py``'s business; that an organization never loses its last owner is kept
by its callers too, under the lock of ``organizations.get_for_change``, which every change here needs.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from agentauri.errors import Conflict, NotFound
from agentauri.store.database import Connection

COLUMNS = "m.user_id, u.username, u.name, u.email, m.role, m.created_at, m.updated_at"
NOT_FOUND = "this organization has no such member."
NO_USER = "this user does not exist."
ALREADY = "this user is a member already; PATCH the member to change the role."


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an organization."""

    user_id: UUID
    username: str | None
    name: str
    email: str | None
    role: str
    created_at: datetime
    updated_at: datetime


async def list_members(
    connection: Connection, organization_id: UUID, *, limit: int, offset: int
) -> tuple[list[Member], int]:
    """A page of the members, the oldest first, and how many there are."""
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM members AS m JOIN users AS u ON u.id = m.user_id
            WHERE m.organization_id = $1 ORDER BY m.created_at, m.user_id LIMIT $2 OFFSET $3""",
        organization_id,
        limit,
        offset,
    )
    total: int = await connection.fetchval("SELECT count(*) FROM members WHERE organization_id = $1", organization_id)
    return [Member(*row) for row in rows], total


async def find_member(connection: Connection, organization_id: UUID, user_id: UUID) -> Member | None:
    """The member; None if the user is none."""
    row = await connection.fetchrow(
        f"""SELECT {COLUMNS} FROM members AS m JOIN users AS u ON u.id = m.user_id
            WHERE m.organization_id = $1 AND m.user_id = $2""",
        organization_id,
        user_id,
    )
    return None if row is None else Member(*row)


async def get_member(connection: Connection, organization_id: UUID, user_id: UUID) -> Member:
    """The member. Raises NotFound."""
    found = await find_member(connection, organization_id, user_id)
    if found is None:
        raise NotFound(NOT_FOUND)
    return found


async def has_member_with_email(connection: Connection, organization_id: UUID, email: str) -> bool:
    """Whether a member has that address, verified or not."""
    found: bool = await connection.fetchval(
        """SELECT EXISTS (SELECT FROM members AS m JOIN users AS u ON u.id = m.user_id
           WHERE m.organization_id = $1 AND lower(u.email) = lower($2))""",
        organization_id,
        email,
    )
    return found


async def add_member(connection: Connection, organization_id: UUID, user_id: UUID, role: str) -> Member:
    """Add a user. Raises NotFound when there is no such user, Conflict for a member."""
    try:
        added = await connection.fetchval(
            """INSERT INTO members (organization_id, user_id, role)
               SELECT $1, u.id, $3 FROM users AS u WHERE u.id = $2 AND u.disabled_at IS NULL RETURNING user_id""",
            organization_id,
            user_id,
            role,
        )
    except asyncpg.UniqueViolationError:
        raise Conflict(ALREADY) from None
    if added is None:
        raise NotFound(NO_USER)
    return await get_member(connection, organization_id, user_id)


async def set_role(connection: Connection, organization_id: UUID, user_id: UUID, role: str) -> None:
    """Give a member another role."""
    await connection.execute(
        "UPDATE members SET role = $3, updated_at = now() WHERE organization_id = $1 AND user_id = $2",
        organization_id,
        user_id,
        role,
    )


async def remove_member(connection: Connection, organization_id: UUID, user_id: UUID) -> None:
    """Take a member out."""
    await connection.execute(
        "DELETE FROM members WHERE organization_id = $1 AND user_id = $2", organization_id, user_id
    )


async def count_owners(connection: Connection, organization_id: UUID) -> int:
    """How many owners the organization has."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM members WHERE organization_id = $1 AND role = 'owner'", organization_id
    )
    return found


async def list_sole_ownerships(connection: Connection, user_id: UUID) -> list[UUID]:
    """The organizations, beside the personal one, that would have no owner without the user.

    For deleting an account; takes the lock of each, so none of them loses its other owner meanwhile.
    """
    rows = await connection.fetch(
        """SELECT o.id FROM organizations AS o JOIN members AS m ON m.organization_id = o.id
           WHERE m.user_id = $1 AND m.role = 'owner' AND o.personal_of IS NULL ORDER BY o.id
           FOR NO KEY UPDATE OF o""",
        user_id,
    )
    return [row["id"] for row in rows if await count_owners(connection, row["id"]) == 1]
