"""Nonces of wallet sign-ins: each is given to one address, lives for minutes, and is used once.

Using one deletes its row, so of two sign-ins at once with the same nonce the second finds none. What nobody uses is
deleted by those who come later: every new nonce clears more old ones than it adds.
"""

from dataclasses import dataclass
from datetime import datetime

from agentauri.store.database import Connection

COLUMNS = "nonce, address, chain_id, issued_at, expires_at"
CLEARED = 10
"""Expired rows that a new nonce deletes at most; few, for somebody waits for it."""


@dataclass(frozen=True, slots=True)
class LoginNonce:
    """A row of login_nonces: whom it was given to, for which chain, and from when until when."""

    nonce: str
    address: str
    chain_id: int
    issued_at: datetime
    expires_at: datetime


async def create_nonce(connection: Connection, nonce: LoginNonce) -> None:
    """Keep a nonce that is about to be given out, and delete some that have run out."""
    await connection.execute(
        f"""WITH cleared AS (DELETE FROM login_nonces WHERE nonce IN (
                SELECT nonce FROM login_nonces WHERE expires_at <= now() ORDER BY expires_at
                LIMIT $6 FOR UPDATE SKIP LOCKED))
            INSERT INTO login_nonces ({COLUMNS}) VALUES ($1, $2, $3, $4, $5)""",
        nonce.nonce,
        nonce.address,
        nonce.chain_id,
        nonce.issued_at,
        nonce.expires_at,
        CLEARED,
    )


async def find_nonce(connection: Connection, nonce: str) -> LoginNonce | None:
    """The nonce, unless it was never given out, was used, or has run out."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM login_nonces WHERE nonce = $1 AND expires_at > now()", nonce
    )
    return None if row is None else LoginNonce(*row)


async def use_nonce(connection: Connection, nonce: LoginNonce) -> bool:
    """Whether the nonce was still there to be used, by this address on this chain; it no longer is afterwards."""
    found: str | None = await connection.fetchval(
        """DELETE FROM login_nonces WHERE nonce = $1 AND address = $2 AND chain_id = $3 AND expires_at > now()
           RETURNING nonce""",
        nonce.nonce,
        nonce.address,
        nonce.chain_id,
    )
    return found is not None
