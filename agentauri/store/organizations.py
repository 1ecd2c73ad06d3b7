"""Organizations, which own everything, and their members."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.models.ids import OrganizationId
from agentauri.store.database import Connection

COLUMNS = "o.id, o.name, o.personal_of IS NOT NULL AS personal, o.plan, m.role, o.created_at, o.updated_at"


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


async def create_personal(connection: Connection, *, id: UUID, user_id: UUID, name: str) -> None:
    """The organization that comes with a user, who owns it."""
    await connection.execute("INSERT INTO organizations (id, name, personal_of) VALUES ($1, $2, $3)", id, name, user_id)
    await connection.execute(
        "INSERT INTO members (organization_id, user_id, role) VALUES ($1, $2, 'owner')", id, user_id
    )


async def list_memberships(connection: Connection, user_id: UUID) -> list[Membership]:
    """The organizations of a user, the personal one first."""
    # all organizations: of this user
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM members AS m JOIN organizations AS o ON o.id = m.organization_id
            WHERE m.user_id = $1 ORDER BY o.personal_of IS NULL, o.created_at, o.id""",
        user_id,
    )
    return [Membership(*row) for row in rows]
