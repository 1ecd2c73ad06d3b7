"""Open invitations into organizations: for one address each, by a token of which only the hash is kept.

One that is accepted, revoked or replaced is deleted; what became of it stands in the audit log. Changes happen under
the lock of ``organizations.get_for_change``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.errors import NotFound
from agentauri.store.database import Connection
from agentauri.store.maintenance import BATCH_ROWS

COLUMNS = "id, organization_id, email, role, created_by, created_at, expires_at"
OPEN = "expires_at > now()"
NOT_FOUND = "this organization has no such open invitation."


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation without its token. ``created_by`` None: an API key or OAuth client wrote it."""

    id: UUID
    organization_id: UUID
    email: str
    role: str
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime


async def put_invitation(connection: Connection, new: Invitation, token_sha256: bytes) -> None:
    """Insert an invitation in the place of an older one for the same address."""
    await connection.execute(
        "DELETE FROM invitations WHERE organization_id = $1 AND lower(email) = lower($2)",
        new.organization_id,
        new.email,
    )
    await connection.execute(
        f"INSERT INTO invitations ({COLUMNS}, token_sha256) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id,
        new.organization_id,
        new.email,
        new.role,
        new.created_by,
        new.created_at,
        new.expires_at,
        token_sha256,
    )


async def find_by_token(connection: Connection, token_sha256: bytes) -> Invitation | None:
    """The open invitation with that token; None if there is none."""
    # all organizations: the token says which one
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM invitations WHERE token_sha256 = $1 AND {OPEN}", token_sha256
    )
    return None if row is None else Invitation(*row)


async def list_invitations(
    connection: Connection, organization_id: UUID, *, limit: int, offset: int
) -> tuple[list[Invitation], int]:
    """A page of the open invitations, the newest first, and how many there are."""
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM invitations WHERE organization_id = $1 AND {OPEN}
            ORDER BY created_at DESC, id LIMIT $2 OFFSET $3""",
        organization_id,
        limit,
        offset,
    )
    total: int = await connection.fetchval(
        f"SELECT count(*) FROM invitations WHERE organization_id = $1 AND {OPEN}", organization_id
    )
    return [Invitation(*row) for row in rows], total


async def get_invitation(connection: Connection, organization_id: UUID, id: UUID) -> Invitation:
    """One open invitation. Raises NotFound."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM invitations WHERE organization_id = $1 AND id = $2 AND {OPEN}", organization_id, id
    )
    if row is None:
        raise NotFound(NOT_FOUND)
    return Invitation(*row)


async def delete_invitation(connection: Connection, organization_id: UUID, id: UUID) -> bool:
    """Delete one; whether it was there."""
    answer = await connection.execute(
        "DELETE FROM invitations WHERE organization_id = $1 AND id = $2", organization_id, id
    )
    return answer == "DELETE 1"


async def delete_written_by(connection: Connection, organization_id: UUID, user_id: UUID, roles: Sequence[str]) -> None:
    """Delete what a user wrote who may invite as ``roles`` no longer."""
    await connection.execute(
        "DELETE FROM invitations WHERE organization_id = $1 AND created_by = $2 AND role = ANY($3::text[])",
        organization_id,
        user_id,
        list(roles),
    )


async def delete_expired(connection: Connection) -> int:
    """One batch of expired invitations; returns how many."""
    # all organizations: this is maintenance
    answer = await connection.execute(
        "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at <= now() LIMIT $1)",
        BATCH_ROWS,
    )
    return int(answer.removeprefix("DELETE "))
