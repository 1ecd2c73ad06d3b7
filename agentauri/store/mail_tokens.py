"""Tokens that mails carry: made, used once, revoked. Only SHA-256 sums are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from agentauri.store.database import Connection

COLUMNS = "user_id, purpose, email"
LIVE = "used_at IS NULL AND expires_at > now()"


@dataclass(frozen=True, slots=True)
class MailToken:
    """What a token stands for; ``email`` is where it was sent."""

    user_id: UUID
    purpose: str
    email: str


async def create(
    connection: Connection, *, user_id: UUID, purpose: str, email: str, token_sha256: bytes, lifetime: timedelta
) -> None:
    """Store a new token."""
    await connection.execute(
        """INSERT INTO mail_tokens (token_sha256, user_id, purpose, email, expires_at)
           VALUES ($1, $2, $3, $4, now() + $5::interval)""",
        token_sha256,
        user_id,
        purpose,
        email,
        lifetime,
    )


async def count_recent(connection: Connection, user_id: UUID, purpose: str, period: timedelta) -> int:
    """How many tokens of a purpose were made for a user within the last ``period``."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM mail_tokens WHERE user_id = $1 AND purpose = $2 AND created_at > now() - $3::interval",
        user_id,
        purpose,
        period,
    )
    return found


async def find(connection: Connection, token_sha256: bytes, purposes: Sequence[str]) -> MailToken | None:
    """The token if it could be used now."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM mail_tokens WHERE token_sha256 = $1 AND purpose = ANY($2::text[]) AND {LIVE}",
        token_sha256,
        list(purposes),
    )
    return None if row is None else MailToken(*row)


async def use(connection: Connection, token_sha256: bytes, purposes: Sequence[str]) -> MailToken | None:
    """Take the token, which works for nobody else then; None: it is unknown, used, or has run out."""
    row = await connection.fetchrow(
        f"""UPDATE mail_tokens SET used_at = now()
            WHERE token_sha256 = $1 AND purpose = ANY($2::text[]) AND {LIVE} RETURNING {COLUMNS}""",
        token_sha256,
        list(purposes),
    )
    return None if row is None else MailToken(*row)


async def revoke(connection: Connection, user_id: UUID, purposes: Sequence[str]) -> None:
    """End a user's unused tokens of these purposes."""
    await connection.execute(
        "UPDATE mail_tokens SET used_at = now() WHERE user_id = $1 AND purpose = ANY($2::text[]) AND used_at IS NULL",
        user_id,
        list(purposes),
    )


async def delete_old(connection: Connection, before: datetime, limit: int) -> int:
    """One batch of tokens that ran out before ``before``; returns how many."""
    answer = await connection.execute(
        """DELETE FROM mail_tokens WHERE token_sha256 IN (
            SELECT token_sha256 FROM mail_tokens WHERE expires_at < $1 LIMIT $2)""",
        before,
        limit,
    )
    return int(answer.removeprefix("DELETE "))
