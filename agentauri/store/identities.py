"""Identities: the ways in which a user signs in without a password. One (provider, subject) is one person for ever."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.store.database import Connection

COLUMNS = "provider, subject, user_id, email, created_at, last_used_at"


@dataclass(frozen=True, slots=True)
class Identity:
    """A row of identities. ``subject``: what the provider calls the account, a wallet's address."""

    provider: str
    subject: str
    user_id: UUID
    email: str | None
    created_at: datetime
    last_used_at: datetime


async def lock_identity(connection: Connection, provider: str, subject: str) -> None:
    """Wait until nobody else signs in as this identity; held to the end of the caller's transaction.

    Without it two first logins at once would make two users.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 1))", provider, subject
    )


async def find_identity(connection: Connection, provider: str, subject: str) -> Identity | None:
    """The identity, if somebody has signed in with it before."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM identities WHERE provider = $1 AND subject = $2", provider, subject
    )
    return None if row is None else Identity(*row)


async def attach_identity(
    connection: Connection, *, provider: str, subject: str, user_id: UUID, email: str | None
) -> None:
    """Let a user sign in with an identity that is nobody's yet; the caller has locked it."""
    await connection.execute(
        "INSERT INTO identities (provider, subject, user_id, email) VALUES ($1, $2, $3, $4)",
        provider,
        subject,
        user_id,
        email,
    )


async def touch_identity(connection: Connection, provider: str, subject: str, email: str | None) -> None:
    """Note a login with it, and the e-mail that the provider knows now."""
    await connection.execute(
        "UPDATE identities SET last_used_at = now(), email = $3 WHERE provider = $1 AND subject = $2",
        provider,
        subject,
        email,
    )


async def list_identities(connection: Connection, user_id: UUID) -> list[Identity]:
    """Every way in which a user signs in without a password, the oldest first."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM identities WHERE user_id = $1 ORDER BY created_at, provider, subject", user_id
    )
    return [Identity(*row) for row in rows]


async def delete_identities(connection: Connection, user_id: UUID) -> None:
    """Let nobody sign in as the user without a password any more."""
    await connection.execute("DELETE FROM identities WHERE user_id = $1", user_id)
