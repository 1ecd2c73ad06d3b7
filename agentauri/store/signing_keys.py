"""The keys of access tokens, private halves sealed. Keys are made under a lock, so that replicas agree on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentauri.store.database import Connection

LOCK = (8004, 11)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A row of signing_keys."""

    kid: str
    public: dict[str, Any]
    sealed: bytes
    signs_from: datetime
    signs_until: datetime
    expires_at: datetime


async def lock(connection: Connection) -> None:
    """Wait until no other replica is making keys; held to the end of the caller's transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", *LOCK)


async def list_live(connection: Connection) -> list[StoredKey]:
    """Keys whose tokens may still be alive, or will be, by the time they begin to sign."""
    rows = await connection.fetch(
        """SELECT kid, public, sealed, signs_from, signs_until, expires_at FROM signing_keys
           WHERE expires_at > now() ORDER BY signs_from"""
    )
    return [StoredKey(*row) for row in rows]


async def insert(connection: Connection, key: StoredKey) -> None:
    """Add a key."""
    await connection.execute(
        """INSERT INTO signing_keys (kid, public, sealed, signs_from, signs_until, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        key.kid,
        key.public,
        key.sealed,
        key.signs_from,
        key.signs_until,
        key.expires_at,
    )


async def delete_expired(connection: Connection) -> None:
    """Drop keys that verify nothing any more."""
    await connection.execute("DELETE FROM signing_keys WHERE expires_at <= now()")
