"""What credentials reach now: asked when a replica meets them first, and after something about them changed.

Nothing here is cached: ``serve/access.py`` remembers the answers and is told by ``access_changed`` when to forget them.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.store.database import Connection

CHANNEL = "access_changed"
"""Rung by triggers of the tables that these statements read (migration 0005)."""

# all organizations: this is how it is found out which ones are a caller's
SESSION_SQL = """
    SELECT m.organization_id, m.role, o.plan, o.paused_at IS NOT NULL AS paused, o.personal_of = u.id AS personal
    FROM sessions AS s JOIN users AS u ON u.id = s.user_id
    JOIN members AS m ON m.user_id = u.id JOIN organizations AS o ON o.id = m.organization_id
    WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL"""

# all organizations: as above
KEY_SQL = """
    SELECT k.id, k.organization_id, k.permissions, o.plan, o.paused_at IS NOT NULL AS paused, k.ip_allow,
        k.requests_per_hour, least(k.expires_at, CASE WHEN k.sha256 <> $1 THEN k.previous_until END) AS expires_at
    FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
    WHERE (k.sha256 = $1 OR k.previous_sha256 = $1 AND k.previous_until > now())
        AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"""

# all organizations: as above
CLIENT_SQL = """
    SELECT c.id, c.organization_id, c.permissions, o.plan, o.paused_at IS NOT NULL AS paused
    FROM oauth_clients AS c JOIN organizations AS o ON o.id = c.organization_id
    JOIN client_grants AS g ON g.client_id = c.id AND g.organization_id = c.organization_id
    WHERE c.organization_id = $1 AND c.id = $2 AND g.id = $3 AND c.revoked_at IS NULL AND g.revoked_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Membership:
    """An organization that a session reaches."""

    organization_id: UUID
    role: str
    plan: str
    paused: bool
    personal: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """What an API key or an OAuth client reaches: one organization, some scopes."""

    id: UUID
    organization_id: UUID
    permissions: list[str]
    plan: str
    paused: bool
    ip_allow: list[str] | tuple[()] = ()
    requests_per_hour: int | None = None
    expires_at: datetime | None = None


async def list_session_memberships(connection: Connection, session_id: UUID, user_id: UUID) -> list[Membership]:
    """The organizations of a live session's user; none: session or user live no longer."""
    return [Membership(*row) for row in await connection.fetch(SESSION_SQL, session_id, user_id)]


async def find_key(connection: Connection, sha256: bytes) -> Machine | None:
    """The live key with that hash, or whose text before a rotation had it; None if there is none."""
    row = await connection.fetchrow(KEY_SQL, sha256)
    return None if row is None else Machine(*row)


async def find_client(connection: Connection, organization_id: UUID, client_id: UUID, grant_id: UUID) -> Machine | None:
    """The OAuth client, unless it or that grant of it is gone or revoked."""
    row = await connection.fetchrow(CLIENT_SQL, organization_id, client_id, grant_id)
    return None if row is None else Machine(*row)


async def find_owner(connection: Connection, table: str, id: UUID, organizations: list[UUID]) -> UUID | None:
    """Which of ``organizations`` owns a row of ``table`` (a name of ours, never a caller's); None: none of them."""
    owner: UUID | None = await connection.fetchval(
        f"SELECT organization_id FROM {table} WHERE id = $1 AND organization_id = ANY($2::uuid[])", id, organizations
    )
    return owner


async def revoke_machines(connection: Connection, user_id: UUID, reason: str) -> None:
    """End every API key and OAuth client of a user's personal organization."""
    await connection.execute(
        """UPDATE api_keys SET revoked_at = now(), revoked_reason = $2, updated_at = now()
           WHERE organization_id = (SELECT id FROM organizations WHERE personal_of = $1) AND revoked_at IS NULL""",
        user_id,
        reason,
    )
    await connection.execute(
        """UPDATE oauth_clients SET revoked_at = now(), updated_at = now()
           WHERE organization_id = (SELECT id FROM organizations WHERE personal_of = $1) AND revoked_at IS NULL""",
        user_id,
    )
