"""Users: who they are and how they sign in. Addresses and names are unique without case; the database says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from agentauri.errors import Conflict, NotFound
from agentauri.models.ids import UserId
from agentauri.store.database import Connection

COLUMNS = (
    "id, email, email_verified_at, username, name, password_hash, disabled_at, last_login_at, created_at, updated_at"
)
TAKEN = {
    "users_email": "an account with this e-mail exists; log in, or reset its password.",
    "users_username": "this user name is taken; choose another one.",
}


@dataclass(frozen=True, slots=True)
class User:
    """A row of users. ``password_hash`` is None for who signs in another way."""

    id: UserId
    email: str | None
    email_verified_at: datetime | None
    username: str | None
    name: str
    password_hash: str | None
    disabled_at: datetime | None
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def create_user(
    connection: Connection,
    *,
    id: UUID,
    email: str | None,
    username: str | None,
    name: str,
    password_hash: str | None,
    verified: bool = False,
) -> User:
    """Insert a user; ``verified``: the e-mail is known to be theirs. Raises Conflict when it or the name is taken."""
    with _taken():
        row = await connection.fetchrow(
            f"""INSERT INTO users (id, email, username, name, password_hash, email_verified_at)
                VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN now() END) RETURNING {COLUMNS}""",
            id,
            email,
            username,
            name,
            password_hash,
            verified,
        )
    assert row is not None
    return User(*row)


async def get_user(connection: Connection, id: UUID) -> User:
    """The user. Raises NotFound."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM users WHERE id = $1", id)
    if row is None:
        raise NotFound("this user does not exist.")
    return User(*row)


async def find_by_login(connection: Connection, *, email: str | None, username: str | None) -> User | None:
    """The user with that e-mail, or else with that user name; None if there is none."""
    column, value = ("email", email) if email is not None else ("username", username)
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM users WHERE lower({column}) = lower($1)", value)
    return None if row is None else User(*row)


async def record_login(connection: Connection, id: UUID, password_hash: str | None) -> None:
    """Note a login, and the renewed hash when there is one."""
    await connection.execute(
        "UPDATE users SET last_login_at = now(), password_hash = coalesce($2, password_hash) WHERE id = $1",
        id,
        password_hash,
    )


async def get_for_change(connection: Connection, id: UUID) -> User:
    """The user, locked against other changes to the end of the transaction. Raises NotFound."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM users WHERE id = $1 FOR NO KEY UPDATE", id)
    if row is None:
        raise NotFound("this user does not exist.")
    return User(*row)


async def change_profile(connection: Connection, id: UUID, *, name: str, username: str | None) -> User:
    """Overwrite what a user may change at will. Raises Conflict when the user name is taken."""
    with _taken():
        row = await connection.fetchrow(
            f"UPDATE users SET name = $2, username = $3, updated_at = now() WHERE id = $1 RETURNING {COLUMNS}",
            id,
            name,
            username,
        )
    assert row is not None
    return User(*row)


async def verify_email(connection: Connection, id: UUID, email: str) -> None:
    """Give the user an address that was shown to be theirs. Raises Conflict when another user has it."""
    with _taken():
        await connection.execute(
            """UPDATE users SET email = $2, updated_at = now(),
                   email_verified_at = CASE WHEN lower(email) = lower($2) THEN coalesce(email_verified_at, now())
                       ELSE now() END
               WHERE id = $1""",
            id,
            email,
        )


async def is_email_taken(connection: Connection, email: str, *, but: UUID) -> bool:
    """Whether a user other than ``but`` has this address."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM users WHERE lower(email) = lower($1) AND id <> $2)", email, but
    )
    return found


async def set_password(connection: Connection, id: UUID, password_hash: str) -> None:
    """Replace the password, or give the user a first one."""
    await connection.execute("UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1", id, password_hash)


async def delete_user(connection: Connection, id: UUID) -> None:
    """Delete the user with sessions, identities, memberships and tokens; organizations are removed before."""
    await connection.execute("DELETE FROM users WHERE id = $1", id)


@contextmanager
def _taken() -> Iterator[None]:
    """Tell which name is taken."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Conflict(TAKEN.get(error.constraint_name or "", "this account exists already.")) from None
