"""Organizations, which own everything, as their members see them. Who the members are: ``members.py``.

A closed organization is found by nothing here: it has no members any more (``closing.py``).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.errors import NotFound
from agentauri.models.ids import OrganizationId
from agentauri.store.database import Connection

COLUMNS = "o.id, o.name, o.personal_of IS NOT NULL AS personal, o.plan, m.role, o.created_at, o.updated_at"
SHOWN = "o.id, o.name, o.personal_of IS NOT NULL AS personal, o.plan, o.paused_at, o.created_at, o.updated_at"
NOT_FOUND = "you have no such organization; GET /api/v1/organizations lists yours."


@dataclass(frozen=True, slots=True)
class Membership:
    """An organization as one of its members sees it."""

    id: OrganizationId
    name: str
    personal: bool
    plan: str
    role: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization. ``paused_at`` None: its deliveries are sent."""

    id: OrganizationId
    name: str
    personal: bool
    plan: str
    paused_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def create_personal(connection: Connection, *, id: UUID, user_id: UUID, name: str) -> None:
    """The organization that comes with a user, who owns it."""
    await connection.execute("INSERT INTO organizations (id, name, personal_of) VALUES ($1, $2, $3)", id, name, user_id)
    await connection.execute(
        "INSERT INTO members (organization_id, user_id, role) VALUES ($1, $2, 'owner')", id, user_id
    )


async def create_organization(connection: Connection, *, id: UUID, owner_id: UUID, name: str) -> Organization:
    """An organization with its first owner."""
    await connection.execute("INSERT INTO organizations (id, name) VALUES ($1, $2)", id, name)
    await connection.execute(
        "INSERT INTO members (organization_id, user_id, role) VALUES ($1, $2, 'owner')", id, owner_id
    )
    return await get_organization(connection, id)


async def get_organization(connection: Connection, organization_id: UUID) -> Organization:
    """The organization. Raises NotFound."""
    row = await connection.fetchrow(
        f"SELECT {SHOWN} FROM organizations AS o WHERE o.id = $1 AND o.closed_at IS NULL", organization_id
    )
    if row is None:
        raise NotFound(NOT_FOUND)
    return Organization(*row)


async def get_for_change(connection: Connection, organization_id: UUID) -> Organization:
    """The organization, its row locked to the end of the transaction. Raises NotFound.

    Whoever changes an organization, its members or its invitations begins with this, so that such changes follow each
    other. Deliveries and triggers go on being written meanwhile: their foreign keys do not meet this lock.
    """
    await connection.execute("SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization_id)
    return await get_organization(connection, organization_id)


async def list_memberships(connection: Connection, user_id: UUID) -> list[Membership]:
    """The organizations of a user, the personal one first."""
    # all organizations: of this user
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM members AS m JOIN organizations AS o ON o.id = m.organization_id
            WHERE m.user_id = $1 ORDER BY o.personal_of IS NULL, o.created_at, o.id""",
        user_id,
    )
    return [Membership(*row) for row in rows]


async def list_organizations(
    connection: Connection, user_id: UUID, *, limit: int, offset: int
) -> tuple[list[tuple[Organization, str]], int]:
    """A page of the organizations of a user with the role in each, the personal one first, and how many there are."""
    # all organizations: of this user
    rows = await connection.fetch(
        f"""SELECT {SHOWN}, m.role FROM members AS m JOIN organizations AS o ON o.id = m.organization_id
            WHERE m.user_id = $1 ORDER BY o.personal_of IS NULL, o.created_at, o.id LIMIT $2 OFFSET $3""",
        user_id,
        limit,
        offset,
    )
    # all organizations: of this user
    total: int = await connection.fetchval("SELECT count(*) FROM members WHERE user_id = $1", user_id)
    return [(Organization(*tuple(row)[:-1]), row["role"]) for row in rows], total


async def count_owned(connection: Connection, user_id: UUID) -> int:
    """How many organizations beside the personal one the user owns; nobody else counts them until the transaction ends.

    Locks the user's row.
    """
    await connection.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id)
    # all organizations: of this user
    found: int = await connection.fetchval(
        """SELECT count(*) FROM members AS m JOIN organizations AS o ON o.id = m.organization_id
           WHERE m.user_id = $1 AND m.role = 'owner' AND o.personal_of IS NULL""",
        user_id,
    )
    return found


async def rename(connection: Connection, organization_id: UUID, name: str) -> None:
    """Give the organization another name."""
    await connection.execute(
        "UPDATE organizations SET name = $2, updated_at = now() WHERE id = $1", organization_id, name
    )


async def set_paused(connection: Connection, organization_id: UUID, paused: bool) -> None:
    """Pause or resume; what that means for its deliveries is in ``pausing.py``."""
    await connection.execute(
        "UPDATE organizations SET paused_at = CASE WHEN $2 THEN now() END, updated_at = now() WHERE id = $1",
        organization_id,
        paused,
    )
