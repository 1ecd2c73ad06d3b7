"""API keys of organizations: made, listed, changed, rotated, revoked, and how often they are used.

Only hashes of their texts are stored. A revoked key stays as a row that says when and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.errors import Conflict, NotFound
from agentauri.store.database import Connection

COLUMNS = """id, organization_id, created_by, name, environment, prefix, permissions, ip_allow, requests_per_hour,
    expires_at, previous_until, revoked_at, revoked_reason, last_used_at, last_used_ip, use_count, created_at,
    updated_at"""
LIVE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
CHANGEABLE = ("name", "permissions", "ip_allow", "requests_per_hour", "expires_at")
GONE = "this API key does not exist."

# all organizations: a replica writes down the uses of whatever keys it met, by their ids
USES_SQL = """
    UPDATE api_keys AS k SET use_count = k.use_count + u.uses, last_used_at = greatest(k.last_used_at, u.used_at),
        last_used_ip = u.ip
    FROM (SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[])
        AS u (id, uses, used_at, ip) ORDER BY id) AS u
    WHERE k.id = u.id"""

STATS_SQL = f"""
    SELECT count(*) AS total, count(*) FILTER (WHERE {LIVE}) AS active,
        count(*) FILTER (WHERE revoked_at IS NOT NULL) AS revoked,
        count(*) FILTER (WHERE revoked_at IS NULL AND expires_at <= now()) AS expired,
        count(*) FILTER (WHERE {LIVE} AND last_used_at IS NULL) AS never_used,
        count(*) FILTER (WHERE {LIVE} AND expires_at <= now() + interval '7 days') AS expiring_soon,
        coalesce(sum(use_count), 0)::bigint AS uses, max(last_used_at) AS last_used_at
    FROM api_keys WHERE organization_id = $1"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its text; ``prefix`` is how people tell keys apart. ``previous_until``: the text before the last
    rotation works until then."""

    id: UUID
    organization_id: UUID
    created_by: UUID | None
    name: str
    environment: str
    prefix: str
    permissions: list[str]
    ip_allow: list[str]
    requests_per_hour: int | None
    expires_at: datetime | None
    previous_until: datetime | None
    revoked_at: datetime | None
    revoked_reason: str | None
    last_used_at: datetime | None
    last_used_ip: str | None
    use_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """What a new key may do, and what is stored of its text."""

    name: str
    environment: str
    prefix: str
    sha256: bytes
    permissions: Sequence[str]
    ip_allow: Sequence[str] = ()
    requests_per_hour: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyStats:
    """How many keys an organization has, by their state, and how much they are used."""

    total: int
    active: int
    revoked: int
    expired: int
    never_used: int
    expiring_soon: int
    uses: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Uses:
    """Uses of one key since the last note."""

    count: int
    last_at: datetime
    last_ip: str


async def create_key(
    connection: Connection, *, organization_id: UUID, created_by: UUID | None, new: NewApiKey
) -> ApiKey:
    """Insert a key."""
    row = await connection.fetchrow(
        f"""INSERT INTO api_keys (id, organization_id, created_by, name, environment, prefix, sha256, permissions,
                ip_allow, requests_per_hour, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {COLUMNS}""",
        uuid4(),
        organization_id,
        created_by,
        new.name,
        new.environment,
        new.prefix,
        new.sha256,
        list(new.permissions),
        list(new.ip_allow),
        new.requests_per_hour,
        new.expires_at,
    )
    assert row is not None
    return ApiKey(*row)


async def list_keys(
    connection: Connection, organization_id: UUID, *, live: bool | None, limit: int, offset: int
) -> tuple[list[ApiKey], int]:
    """A page of an organization's keys, the newest first, and how many there are. ``live``: only such, or others."""
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM api_keys WHERE organization_id = $1 AND ($2::boolean IS NULL OR ({LIVE}) = $2)
            ORDER BY created_at DESC, id LIMIT $3 OFFSET $4""",
        organization_id,
        live,
        limit,
        offset,
    )
    total = await connection.fetchval(
        f"SELECT count(*) FROM api_keys WHERE organization_id = $1 AND ($2::boolean IS NULL OR ({LIVE}) = $2)",
        organization_id,
        live,
    )
    return [ApiKey(*row) for row in rows], total


async def get_key(connection: Connection, organization_id: UUID, id: UUID) -> ApiKey:
    """One key. Raises NotFound, also for another organization's."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM api_keys WHERE organization_id = $1 AND id = $2", organization_id, id
    )
    if row is None:
        raise NotFound(GONE)
    return ApiKey(*row)


async def change_key(connection: Connection, organization_id: UUID, id: UUID, changes: Mapping[str, Any]) -> ApiKey:
    """Change fields of CHANGEABLE. Raises NotFound, and Conflict for a revoked key."""
    names = [name for name in CHANGEABLE if name in changes]
    assignments = "".join(f", {name} = ${place}" for place, name in enumerate(names, start=3))
    row = await connection.fetchrow(
        f"""UPDATE api_keys SET updated_at = now(){assignments}
            WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING {COLUMNS}""",
        organization_id,
        id,
        *(changes[name] for name in names),
    )
    return ApiKey(*row) if row is not None else await _refuse_change(connection, organization_id, id)


async def rotate_key(
    connection: Connection, organization_id: UUID, id: UUID, *, prefix: str, sha256: bytes, grace_seconds: int
) -> ApiKey:
    """Give a key a new text; the one before works on for the grace, older ones end. Raises NotFound or Conflict."""
    row = await connection.fetchrow(
        f"""UPDATE api_keys SET prefix = $3, sha256 = $4, updated_at = now(),
                previous_sha256 = CASE WHEN $5 > 0 THEN sha256 END,
                previous_until = CASE WHEN $5 > 0 THEN now() + $5 * interval '1 second' END
            WHERE organization_id = $1 AND id = $2 AND {LIVE} RETURNING {COLUMNS}""",
        organization_id,
        id,
        prefix,
        sha256,
        grace_seconds,
    )
    return ApiKey(*row) if row is not None else await _refuse_change(connection, organization_id, id)


async def revoke_key(connection: Connection, organization_id: UUID, id: UUID, reason: str | None) -> bool:
    """Revoke a key for good; False: it was revoked before. Raises NotFound."""
    answer = await connection.execute(
        """UPDATE api_keys SET revoked_at = now(), revoked_reason = $3, previous_sha256 = NULL, previous_until = NULL,
               updated_at = now()
           WHERE organization_id = $1 AND id = $2 AND revoked_at IS NULL""",
        organization_id,
        id,
        reason,
    )
    if answer == "UPDATE 0":
        await get_key(connection, organization_id, id)
    return answer == "UPDATE 1"


async def get_stats(connection: Connection, organization_id: UUID) -> KeyStats:
    """Counts over all keys of an organization."""
    row = await connection.fetchrow(STATS_SQL, organization_id)
    assert row is not None
    return KeyStats(*row)


async def record_uses(connection: Connection, uses: Mapping[UUID, Uses]) -> None:
    """Add uses that were collected; keys that are gone meanwhile are left out."""
    await connection.execute(
        USES_SQL,
        list(uses),
        [one.count for one in uses.values()],
        [one.last_at for one in uses.values()],
        [one.last_ip for one in uses.values()],
    )


async def _refuse_change(connection: Connection, organization_id: UUID, id: UUID) -> ApiKey:
    await get_key(connection, organization_id, id)
    raise Conflict("this API key was revoked or has expired; create a new one.")
