"""Sessions: one login and the refresh tokens that descend from it.

Of a refresh token only the SHA-256 is stored. A user has at most ten live sessions; an eleventh login ends the oldest.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentauri.errors import NotFound
from agentauri.store.database import Connection

MAX_LIVE = 10
GRACE_SECONDS = 10
"""A refresh token that was just used is answered again in the same way: two tabs, or an answer that was lost."""


@dataclass(frozen=True, slots=True)
class Login:
    """A login that was just accepted: its session and the hash of its first refresh token."""

    session_id: UUID
    user_id: UUID
    token_sha256: bytes
    method: str
    ip: str
    user_agent: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A presented refresh token, locked. ``is_live``: its session and user are, and it has not run out.

    ``successor_sealed`` is set once it was used; ``in_grace``: that was a moment ago, and nobody has gone further.
    """

    session_id: UUID
    user_id: UUID
    is_live: bool
    successor_sealed: bytes | None
    in_grace: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A live session as its user sees it."""

    id: UUID
    method: str
    ip: str
    user_agent: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PastSession(Session):
    """A session that may have ended."""

    revoked_at: datetime | None
    revoked_reason: str | None


async def create_session(connection: Connection, login: Login) -> None:
    """Begin a session with its first refresh token; the oldest beyond ten end. Runs in the caller's transaction."""
    await connection.execute("SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE", login.user_id)
    await connection.execute(
        "INSERT INTO sessions (id, user_id, method, ip, user_agent, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        login.session_id,
        login.user_id,
        login.method,
        login.ip,
        login.user_agent,
        login.expires_at,
    )
    await connection.execute(
        "INSERT INTO refresh_tokens (token_sha256, session_id, expires_at) VALUES ($1, $2, $3)",
        login.token_sha256,
        login.session_id,
        login.expires_at,
    )
    await connection.execute(
        """UPDATE sessions SET revoked_at = now(), revoked_reason = 'too_many_sessions' WHERE id IN (
            SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
            ORDER BY last_used_at DESC, id OFFSET $2)""",
        login.user_id,
        MAX_LIVE,
    )


async def find_refresh_token(connection: Connection, token_sha256: bytes) -> RefreshToken | None:
    """The token, locked to the end of the transaction, so that of two uses at once one comes second."""
    row = await connection.fetchrow(
        """SELECT t.session_id, s.user_id,
               s.revoked_at IS NULL AND u.disabled_at IS NULL AND t.expires_at > now() AS is_live, t.successor_sealed,
               t.used_at > now() - $2 * interval '1 second' AND NOT EXISTS (
                   SELECT FROM refresh_tokens AS later
                   WHERE later.session_id = t.session_id AND later.used_at > t.used_at) AS in_grace
           FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id JOIN users AS u ON u.id = s.user_id
           WHERE t.token_sha256 = $1 FOR UPDATE OF t, s""",
        token_sha256,
        GRACE_SECONDS,
    )
    return None if row is None else RefreshToken(*row)


async def rotate(
    connection: Connection,
    session_id: UUID,
    *,
    old_sha256: bytes,
    new_sha256: bytes,
    sealed: bytes,
    expires_at: datetime,
) -> None:
    """Put a new refresh token after the old one; ``sealed`` is the new one's text for a second use in the grace."""
    await connection.execute(
        "UPDATE refresh_tokens SET used_at = clock_timestamp(), successor_sealed = $2 WHERE token_sha256 = $1",
        old_sha256,
        sealed,
    )
    await connection.execute(
        "INSERT INTO refresh_tokens (token_sha256, session_id, expires_at) VALUES ($1, $2, $3)",
        new_sha256,
        session_id,
        expires_at,
    )
    await connection.execute(
        "UPDATE sessions SET last_used_at = now(), expires_at = $2 WHERE id = $1", session_id, expires_at
    )


async def revoke(connection: Connection, session_id: UUID, reason: str) -> None:
    """End a session with all its tokens."""
    await connection.execute(
        "UPDATE sessions SET revoked_at = now(), revoked_reason = $2 WHERE id = $1 AND revoked_at IS NULL",
        session_id,
        reason,
    )


async def list_live(connection: Connection, user_id: UUID) -> list[Session]:
    """A user's live sessions, the one used last first; there are MAX_LIVE at most."""
    rows = await connection.fetch(
        """SELECT id, method, ip, user_agent, created_at, last_used_at, expires_at FROM sessions
           WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY last_used_at DESC, id""",
        user_id,
    )
    return [Session(*row) for row in rows]


async def revoke_own(connection: Connection, user_id: UUID, session_id: UUID, reason: str) -> None:
    """End one live session of a user. Raises NotFound."""
    answer = await connection.execute(
        """UPDATE sessions SET revoked_at = now(), revoked_reason = $3
           WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > now()""",
        user_id,
        session_id,
        reason,
    )
    if answer == "UPDATE 0":
        raise NotFound("you have no such session.")


async def revoke_all(connection: Connection, user_id: UUID, reason: str, *, but: UUID | None = None) -> None:
    """End every live session of a user, but for the session ``but``."""
    await connection.execute(
        """UPDATE sessions SET revoked_at = now(), revoked_reason = $2
           WHERE user_id = $1 AND revoked_at IS NULL AND id IS DISTINCT FROM $3""",
        user_id,
        reason,
        but,
    )


async def find_session_of(connection: Connection, token_sha256: bytes) -> UUID | None:
    """The live session that a refresh token belongs to, be the token used or not."""
    found: UUID | None = await connection.fetchval(
        """SELECT s.id FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
           WHERE t.token_sha256 = $1 AND t.expires_at > now() AND s.revoked_at IS NULL AND s.expires_at > now()""",
        token_sha256,
    )
    return found


async def list_history(connection: Connection, user_id: UUID, limit: int) -> list[PastSession]:
    """A user's sessions, ended ones too as long as they are kept, the newest first."""
    rows = await connection.fetch(
        """SELECT id, method, ip, user_agent, created_at, last_used_at, expires_at, revoked_at, revoked_reason
           FROM sessions WHERE user_id = $1 ORDER BY created_at DESC, id LIMIT $2""",
        user_id,
        limit,
    )
    return [PastSession(*row) for row in rows]
