"""OAuth clients: programs that act for an organization with scopes of their own. Of a secret the SHA-256 is kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.errors import NotFound
from agentauri.store.database import Connection

COLUMNS = "id, name, prefix, permissions, created_by, created_at, updated_at, last_used_at, revoked_at"
NOT_FOUND = "this OAuth client does not exist."


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """What is shown of a client; its id is the client_id, ``prefix`` how its secret begins."""

    id: UUID
    name: str
    prefix: str
    permissions: list[str]
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewOAuthClient:
    """A client to be stored."""

    id: UUID
    name: str
    prefix: str
    sha256: bytes
    permissions: list[str]
    created_by: UUID | None


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a live client is checked against, and what it may be granted."""

    id: UUID
    organization_id: UUID
    sha256: bytes
    permissions: list[str]


async def create_client(connection: Connection, organization_id: UUID, client: NewOAuthClient) -> OAuthClient:
    """Insert a client."""
    row = await connection.fetchrow(
        f"""INSERT INTO oauth_clients (id, organization_id, name, prefix, sha256, permissions, created_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}""",
        client.id,
        organization_id,
        client.name,
        client.prefix,
        client.sha256,
        client.permissions,
        client.created_by,
    )
    assert row is not None
    return OAuthClient(*row)


async def count_live(connection: Connection, organization_id: UUID) -> int:
    """How many live clients an organization has; it is locked to the end of the transaction, so that none comes."""
    await connection.execute("SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization_id)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM oauth_clients WHERE organization_id = $1 AND revoked_at IS NULL", organization_id
    )
    return count


async def get_client(connection: Connection, organization_id: UUID, id: UUID) -> OAuthClient:
    """The organization's client, revoked or not. Raises NotFound."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM oauth_clients WHERE organization_id = $1 AND id = $2", organization_id, id
    )
    if row is None:
        raise NotFound(NOT_FOUND)
    return OAuthClient(*row)


async def list_clients(
    connection: Connection, organization_id: UUID, *, limit: int, offset: int
) -> tuple[list[OAuthClient], int]:
    """A page of an organization's clients, the newest first, revoked ones too, and how many there are."""
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM oauth_clients WHERE organization_id = $1
            ORDER BY created_at DESC, id LIMIT $2 OFFSET $3""",
        organization_id,
        limit,
        offset,
    )
    total = await connection.fetchval("SELECT count(*) FROM oauth_clients WHERE organization_id = $1", organization_id)
    return [OAuthClient(*row) for row in rows], total


async def update_client(
    connection: Connection, organization_id: UUID, id: UUID, *, name: str | None, permissions: list[str] | None
) -> OAuthClient:
    """Change what is not None of a live client. Raises NotFound."""
    row = await connection.fetchrow(
        f"""UPDATE oauth_clients SET name = coalesce($3, name), permissions = coalesce($4, permissions),
                updated_at = now()
            WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING {COLUMNS}""",
        organization_id,
        id,
        name,
        permissions,
    )
    if row is None:
        raise NotFound(NOT_FOUND)
    return OAuthClient(*row)


async def revoke_client(connection: Connection, organization_id: UUID, id: UUID) -> bool:
    """Revoke a client: its secret and all its tokens are refused from now on. False when it was; raises NotFound."""
    answer = await connection.execute(
        """UPDATE oauth_clients SET revoked_at = now(), updated_at = now()
           WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL""",
        organization_id,
        id,
    )
    if answer != "UPDATE 1":
        await get_client(connection, organization_id, id)
    return bool(answer == "UPDATE 1")


async def find_secret(connection: Connection, id: UUID) -> ClientSecret | None:
    """What a live client is checked against."""
    # all organizations: this is how it is found out which one is the client's
    row = await connection.fetchrow(
        "SELECT id, organization_id, sha256, permissions FROM oauth_clients WHERE id = $1 AND revoked_at IS NULL", id
    )
    return None if row is None else ClientSecret(*row)


async def touch_client(connection: Connection, organization_id: UUID, id: UUID) -> None:
    """Note that a client took a token."""
    await connection.execute(
        "UPDATE oauth_clients SET last_used_at = now() WHERE organization_id = $1 AND id = $2", organization_id, id
    )
