"""A login by password in two statements: all that is asked before the hash, and all that is done after it.

Of the eleven statements of a login nine are bookkeeping that nothing disturbs, nearly always: nobody mistyped, nobody
else logs in to the account at the same moment. ``begin`` does it all at once when that is so, and nothing at all
otherwise; then the statements are made one by one, under their locks (``serve/auth/service.py``).

That nothing disturbs is read off the account as it was before the hash: whoever begins a session of a user who exists
sets ``last_login_at`` in the same transaction (``begin_session`` in ``serve/auth/begin.py``), so an unchanged one means
that every session is known to the statement, whose one look at the database is older than its lock on the user.
"""

from dataclasses import dataclass
from uuid import uuid4

from agentauri.store import organizations, users
from agentauri.store.database import Connection
from agentauri.store.organizations import Membership
from agentauri.store.sessions import MAX_LIVE, Login
from agentauri.store.users import User

# all organizations: of this user
BEGIN_SQL = f"""
    WITH same AS (
        UPDATE users SET last_login_at = now()
        WHERE id = $1 AND password_hash = $2 AND last_login_at IS NOT DISTINCT FROM $3 AND disabled_at IS NULL
            AND NOT EXISTS (SELECT FROM lockouts WHERE subject IN ($4, $5))
        RETURNING id),
    session AS (
        INSERT INTO sessions (id, user_id, method, ip, user_agent, expires_at)
        SELECT $6, id, $7, $8, $9, $10 FROM same),
    token AS (INSERT INTO refresh_tokens (token_sha256, session_id, expires_at) SELECT $11, $6, $10 FROM same),
    surplus AS (
        UPDATE sessions SET revoked_at = now(), revoked_reason = 'too_many_sessions' WHERE id IN (
            SELECT s.id FROM same JOIN sessions AS s ON s.user_id = same.id
            WHERE s.revoked_at IS NULL AND s.expires_at > now()
            ORDER BY s.last_used_at DESC, s.id OFFSET {MAX_LIVE - 1})),
    entry AS (
        INSERT INTO audit_log (
            id, organization_id, user_id, actor_kind, actor_id, action, target, details, ip, request_id, created_at)
        SELECT $12, NULL, id, 'user', id, 'user.logged_in', 'session:' || $6::uuid,
            jsonb_build_object('method', $7::text), $8, $13, clock_timestamp() FROM same)
    SELECT {organizations.COLUMNS}
    FROM same LEFT JOIN members AS m ON m.user_id = same.id LEFT JOIN organizations AS o ON o.id = m.organization_id
    ORDER BY o.personal_of IS NULL, o.created_at, o.id"""
"""The new session is not among those that are counted: one statement sees nothing of what it writes."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is called by a name, if anybody is, and for how many seconds yet no password is checked; 0: it is."""

    user: User | None
    locked: int


async def find_standing(
    connection: Connection,
    *,
    email: str | None,
    username: str | None,
    prefix: bytes,
    nobody: bytes,
    client: bytes | None,
) -> Standing:
    """The user with that e-mail, or else with that user name, and the lock of account or client.

    An account's subject is the SHA-256 of ``prefix`` and its id; ``nobody`` is that of the name when no account has it.
    Known and unknown names cost the same.
    """
    column, value = ("email", email) if email is not None else ("username", username)
    row = await connection.fetchrow(
        f"""SELECT {users.COLUMNS}, (
                SELECT coalesce(ceil(extract(epoch FROM max(locked_until) - clock_timestamp())), 0)::int FROM lockouts
                WHERE subject IN (coalesce(sha256($2::bytea || convert_to(id::text, 'UTF8')), $3), $4)
                    AND locked_until > clock_timestamp())
            FROM (SELECT) AS asked LEFT JOIN users ON lower({column}) = lower($1)""",
        value,
        prefix,
        nobody,
        client,
    )
    assert row is not None
    *fields, locked = row
    return Standing(None if row["id"] is None else User(*fields), locked)


async def begin(
    connection: Connection,
    checked: User,
    login: Login,
    *,
    account: bytes,
    client: bytes | None,
    request_id: str,
) -> list[Membership] | None:
    """Begin a session after a right password, with its entry in the audit log; returns the user's organizations.

    None, and nothing is done: a failure counts against account or client, or ``checked`` is not as it was. Outside any
    transaction, for it is one.
    """
    rows = await connection.fetch(
        BEGIN_SQL,
        checked.id,
        checked.password_hash,
        checked.last_login_at,
        account,
        client,
        login.session_id,
        login.method,
        login.ip,
        login.user_agent,
        login.expires_at,
        login.token_sha256,
        uuid4(),
        request_id,
    )
    if not rows:
        return None
    return [Membership(*row) for row in rows if row["id"] is not None]
