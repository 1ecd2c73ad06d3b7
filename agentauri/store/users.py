"""Users: who they are and how they sign in. Addresses and names are unique without case; the database says so."""

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
    try:
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
    except asyncpg.UniqueViolationError as error:
        raise Conflict(TAKEN.get(error.constraint_name or "", "this account exists already.")) from None
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
