"""One-time codes of social logins, and the states that have come back. Of all of them only the SHA-256 is stored."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from agentauri.store.database import Connection

PURGE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class LoginCode:
    """A code that was just taken: whose login it was, and how."""

    user_id: UUID
    method: str
    challenge: str | None


@dataclass(frozen=True, slots=True)
class NewLoginCode:
    """A code to be stored."""

    sha256: bytes
    user_id: UUID
    method: str
    challenge: str | None
    ip: str
    user_agent: str
    lifetime: timedelta


async def take_state(connection: Connection, state_sha256: bytes, lifetime: timedelta) -> bool:
    """Whether this state comes back for the first time; in the transaction of what the login makes."""
    answer = await connection.execute(
        """INSERT INTO login_states (state_sha256, expires_at) VALUES ($1, now() + $2)
           ON CONFLICT (state_sha256) DO NOTHING""",
        state_sha256,
        lifetime,
    )
    return answer == "INSERT 0 1"


async def create_code(connection: Connection, code: NewLoginCode) -> None:
    """Store a code."""
    await connection.execute(
        """INSERT INTO login_codes (code_sha256, user_id, method, challenge, ip, user_agent, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, now() + $7)""",
        code.sha256,
        code.user_id,
        code.method,
        code.challenge,
        code.ip,
        code.user_agent,
        code.lifetime,
    )


async def take_code(connection: Connection, code_sha256: bytes) -> LoginCode | None:
    """The code, which is gone by that; None when it is unknown, was taken before, or has run out."""
    row = await connection.fetchrow(
        """DELETE FROM login_codes WHERE code_sha256 = $1
           RETURNING user_id, method, challenge, expires_at > now() AS is_live""",
        code_sha256,
    )
    return None if row is None or not row["is_live"] else LoginCode(row["user_id"], row["method"], row["challenge"])


async def purge_codes(connection: Connection) -> int:
    """Delete some codes that have run out, and return how many."""
    answer = await connection.execute(
        """DELETE FROM login_codes WHERE code_sha256 IN (
               SELECT code_sha256 FROM login_codes WHERE expires_at < now() LIMIT $1)""",
        PURGE_ROWS,
    )
    return int(answer.removeprefix("DELETE "))


async def purge_states(connection: Connection) -> int:
    """Delete some states whose logins have run out anyway, and return how many."""
    answer = await connection.execute(
        """DELETE FROM login_states WHERE state_sha256 IN (
               SELECT state_sha256 FROM login_states WHERE expires_at < now() LIMIT $1)""",
        PURGE_ROWS,
    )
    return int(answer.removeprefix("DELETE "))
