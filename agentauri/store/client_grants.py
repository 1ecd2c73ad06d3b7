"""What OAuth clients were granted, and the refresh tokens that descend from each grant, as sessions do for users.

A client has at most 100 grants that renew; beyond that the oldest merely run out, for programs that take a new token
for every job would otherwise lose one that is in use. A refresh token that is used again late revokes its grant.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.store.database import Connection

MAX_LIVE = 100
GRACE_SECONDS = 10
PURGE_ROWS = 5_000
KEPT_HOURS = 24
"""Longer than any access token lives: those of a grant are refused when it is gone."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client was just granted, with the hash of the first refresh token."""

    id: UUID
    client_id: UUID
    organization_id: UUID
    permissions: list[str]
    token_sha256: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class GrantToken:
    """A presented refresh token, locked; as ``sessions.RefreshToken``."""

    grant_id: UUID
    permissions: list[str]
    is_live: bool
    successor_sealed: bytes | None
    in_grace: bool


async def create_grant(connection: Connection, grant: Grant) -> None:
    """Store a grant with its first refresh token; the oldest beyond the bound run out."""
    await connection.execute(
        "SELECT 1 FROM oauth_clients WHERE organization_id = $1 AND id = $2 FOR NO KEY UPDATE",
        grant.organization_id,
        grant.client_id,
    )
    await connection.execute(
        """INSERT INTO client_grants (id, client_id, organization_id, permissions, expires_at)
           VALUES ($1, $2, $3, $4, $5)""",
        grant.id,
        grant.client_id,
        grant.organization_id,
        grant.permissions,
        grant.expires_at,
    )
    await _insert_token(connection, grant.id, grant.token_sha256, grant.expires_at)
    await connection.execute(
        """UPDATE client_grants SET expires_at = now() WHERE id IN (
            SELECT id FROM client_grants
            WHERE client_id = $1 AND organization_id = $2 AND revoked_at IS NULL AND expires_at > now()
            ORDER BY last_used_at DESC, id OFFSET $3)""",
        grant.client_id,
        grant.organization_id,
        MAX_LIVE,
    )


async def find_token(
    connection: Connection, organization_id: UUID, client_id: UUID, token_sha256: bytes
) -> GrantToken | None:
    """A refresh token of this client, locked to the end of the transaction, so that of two uses one comes second."""
    row = await connection.fetchrow(
        """SELECT t.grant_id, g.permissions,
               g.revoked_at IS NULL AND g.expires_at > now() AND t.expires_at > now() AS is_live, t.successor_sealed,
               coalesce(t.used_at > now() - $4 * interval '1 second', false) AND NOT EXISTS (
                   SELECT FROM client_refresh_tokens AS later
                   WHERE later.grant_id = t.grant_id AND later.used_at > t.used_at) AS in_grace
           FROM client_refresh_tokens AS t JOIN client_grants AS g ON g.id = t.grant_id
           WHERE t.token_sha256 = $3 AND g.client_id = $2 AND g.organization_id = $1 FOR UPDATE OF t, g""",
        organization_id,
        client_id,
        token_sha256,
        GRACE_SECONDS,
    )
    return None if row is None else GrantToken(*row)


async def rotate(
    connection: Connection,
    organization_id: UUID,
    grant_id: UUID,
    *,
    old_sha256: bytes,
    new_sha256: bytes,
    sealed: bytes,
    expires_at: datetime,
) -> None:
    """Put a new refresh token after the old one; ``sealed`` is the new one's text for a second use in the grace."""
    await connection.execute(
        "UPDATE client_refresh_tokens SET used_at = clock_timestamp(), successor_sealed = $2 WHERE token_sha256 = $1",
        old_sha256,
        sealed,
    )
    await _insert_token(connection, grant_id, new_sha256, expires_at)
    await connection.execute(
        "UPDATE client_grants SET last_used_at = now(), expires_at = $3 WHERE organization_id = $1 AND id = $2",
        organization_id,
        grant_id,
        expires_at,
    )


async def revoke(connection: Connection, organization_id: UUID, grant_id: UUID, reason: str) -> None:
    """End a grant with all its tokens."""
    await connection.execute(
        """UPDATE client_grants SET revoked_at = now(), revoked_reason = $3
           WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL""",
        organization_id,
        grant_id,
        reason,
    )


async def purge(connection: Connection) -> int:
    """Delete some grants that ran out a day ago, and return how many."""
    # all organizations: retention is the deployment's
    answer = await connection.execute(
        """DELETE FROM client_grants WHERE id IN (
               SELECT id FROM client_grants WHERE expires_at < now() - $1 * interval '1 hour' LIMIT $2)""",
        KEPT_HOURS,
        PURGE_ROWS,
    )
    return int(answer.removeprefix("DELETE "))


async def _insert_token(connection: Connection, grant_id: UUID, sha256: bytes, expires_at: datetime) -> None:
    await connection.execute(
        "INSERT INTO client_refresh_tokens (token_sha256, grant_id, expires_at) VALUES ($1, $2, $3)",
        sha256,
        grant_id,
        expires_at,
    )
