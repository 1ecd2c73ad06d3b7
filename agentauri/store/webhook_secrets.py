"""The secrets that sign an organization's webhooks (Standard Webhooks): sealed, shown once, every live one signs."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentauri.errors import Conflict, LimitReached, NotFound
from agentauri.store.database import Connection
from agentauri.store.vault import Vault

if TYPE_CHECKING:
    import asyncpg

PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
HINT_LENGTH = 4
MAX_LIVE = 10
"""Every live secret adds a signature to every webhook's header."""
ROTATION_HOURS = 24
NOT_FOUND = "this webhook secret does not exist."
COLUMNS = "id, hint, created_by, created_at, expires_at, last_used_at, kind, public_key"
LIVE = "(expires_at IS NULL OR expires_at > now())"


class SecretKind(StrEnum):
    """Shared with the receiver, or a key pair whose public half it gets."""

    HMAC = "hmac"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """What is shown of a secret after its creation. ``expires_at``: it was replaced and signs until then."""

    id: UUID
    hint: str
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    kind: SecretKind
    public_key: str | None


def context_of(organization_id: UUID) -> str:
    """What a secret is sealed for."""
    return f"webhook_secret:{organization_id}"


async def create_secret(
    connection: Connection,
    vault: Vault,
    *,
    organization_id: UUID,
    created_by: UUID | None,
    kind: SecretKind = SecretKind.HMAC,
) -> tuple[WebhookSecret, str]:
    """A new secret and, this once, its text. Raises LimitReached. Runs in the caller's transaction.

    The text of a key pair's private half is for tests alone: nobody else has a use for it.
    """
    await connection.execute("SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization_id)
    live = await connection.fetchval(
        f"SELECT count(*) FROM webhook_secrets WHERE organization_id = $1 AND {LIVE}", organization_id
    )
    if live >= MAX_LIVE:
        raise LimitReached(f"an organization has at most {MAX_LIVE} live webhook secrets; delete one first.")
    text, public = _make(kind)
    row = await connection.fetchrow(
        f"""INSERT INTO webhook_secrets (id, organization_id, sealed, hint, created_by, kind, public_key)
            VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {COLUMNS}""",
        uuid4(),
        organization_id,
        vault.seal(text.encode(), context_of(organization_id)),
        (public or text).rstrip("=")[-HINT_LENGTH:],
        created_by,
        kind,
        public,
    )
    assert row is not None
    return _secret(row), text


def _make(kind: SecretKind) -> tuple[str, str | None]:
    """A fresh secret's text, and of a key pair the public half."""
    raw = secrets.token_bytes(SECRET_BYTES)
    text = b64encode(raw).decode()
    if kind is SecretKind.HMAC:
        return PREFIX + text, None
    public = Ed25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw()
    return PRIVATE_PREFIX + text, PUBLIC_PREFIX + b64encode(public).decode()


def _secret(row: "asyncpg.Record") -> WebhookSecret:
    return WebhookSecret(**{**row, "kind": SecretKind(row["kind"])})


async def rotate_secret(
    connection: Connection, vault: Vault, *, organization_id: UUID, id: UUID, created_by: UUID | None
) -> tuple[WebhookSecret, str]:
    """A new secret in the place of a live one, which signs beside it for ``ROTATION_HOURS`` more.

    Raises NotFound, Conflict when it was rotated already, and LimitReached. Runs in the caller's transaction.
    """
    await connection.execute("SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization_id)
    old = await connection.fetchrow(
        f"SELECT expires_at, kind FROM webhook_secrets WHERE organization_id = $1 AND id = $2 AND {LIVE}",
        organization_id,
        id,
    )
    if old is None:
        raise NotFound(NOT_FOUND)
    if old["expires_at"] is not None:
        raise Conflict("this webhook secret was rotated already; it signs until it expires.")
    kind = SecretKind(old["kind"])
    made = await create_secret(connection, vault, organization_id=organization_id, created_by=created_by, kind=kind)
    await connection.execute(
        """UPDATE webhook_secrets SET expires_at = now() + $3 * interval '1 hour'
           WHERE organization_id = $1 AND id = $2""",
        organization_id,
        id,
        ROTATION_HOURS,
    )
    return made


async def list_secrets(
    connection: Connection, organization_id: UUID, *, limit: int, offset: int
) -> tuple[list[WebhookSecret], int]:
    """A page of the live secrets of an organization, the newest first, and how many there are."""
    rows = await connection.fetch(
        f"""SELECT {COLUMNS} FROM webhook_secrets WHERE organization_id = $1 AND {LIVE}
            ORDER BY created_at DESC, id LIMIT $2 OFFSET $3""",
        organization_id,
        limit,
        offset,
    )
    total = await connection.fetchval(
        f"SELECT count(*) FROM webhook_secrets WHERE organization_id = $1 AND {LIVE}", organization_id
    )
    return [_secret(row) for row in rows], total


async def list_sealed(connection: Connection, organization_id: UUID) -> list[bytes]:
    """The live secrets as they are stored, the newest first: what signs at this moment."""
    rows = await connection.fetch(
        f"SELECT sealed FROM webhook_secrets WHERE organization_id = $1 AND {LIVE} ORDER BY created_at DESC, id",
        organization_id,
    )
    return [row["sealed"] for row in rows]


async def note_used(connection: Connection, organizations: Sequence[UUID], at: datetime) -> None:
    """The live secrets of these organizations signed something, at the last at ``at``."""
    # all organizations: a deliverer notes for whom it signed
    await connection.execute(
        f"UPDATE webhook_secrets SET last_used_at = greatest(last_used_at, $2) "
        f"WHERE organization_id = ANY($1::uuid[]) AND {LIVE}",
        organizations,
        at,
    )


async def delete_secret(connection: Connection, organization_id: UUID, id: UUID) -> None:
    """Delete a live secret, in the caller's transaction. Raises NotFound, and Conflict for the last that stays."""
    await connection.execute("SELECT 1 FROM organizations WHERE id = $1 FOR NO KEY UPDATE", organization_id)
    rows = await connection.fetch(
        f"SELECT id, expires_at FROM webhook_secrets WHERE organization_id = $1 AND {LIVE}", organization_id
    )
    if id not in {row["id"] for row in rows}:
        raise NotFound(NOT_FOUND)
    if [row["id"] for row in rows if row["expires_at"] is None] == [id]:
        raise Conflict("this is the organization's last webhook secret; create another one first.")
    await connection.execute("DELETE FROM webhook_secrets WHERE organization_id = $1 AND id = $2", organization_id, id)
