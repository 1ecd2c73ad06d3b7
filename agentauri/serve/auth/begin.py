"""How an account begins and how a session does, whichever way somebody signs in. All in the caller's transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from agentauri.accounts.lockout import Subjects
from agentauri.accounts.tokens import ACCESS_SECONDS, REFRESH_LIFETIME, make_refresh_token
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import audit, logins, new_accounts, organizations, sessions, users
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
from agentauri.store.organizations import Membership
from agentauri.store.sessions import Login
from agentauri.store.users import User


async def create_account(
    context: Context,
    connection: Connection,
    client: Client,
    *,
    email: str | None,
    username: str | None = None,
    name: str = "",
    password_hash: str | None = None,
    verified: bool = False,
) -> tuple[User, str]:
    """A user with the personal organization, and that one's first webhook secret, shown once. Raises Conflict."""
    made = await new_accounts.create_account(
        connection,
        context.vault,
        email=email,
        username=username,
        name=name,
        password_hash=password_hash,
        verified=verified,
    )
    await audit.record(connection, actor_of_user(made.user, client), "user.registered", organization_id=None)
    return made.user, made.webhook_secret


async def begin_session(
    context: Context,
    connection: Connection,
    user: User,
    client: Client,
    *,
    method: str = "password",
    renewed: str | None = None,
) -> dict[str, Any]:
    """A session, as the answer to a login tells of it; the login is noted, with the ``renewed`` hash if there is one.

    ``method``: how the user signed in.
    """
    await users.record_login(connection, user.id, renewed)
    return await begin_first_session(context, connection, user, client, method=method)


async def begin_first_session(
    context: Context, connection: Connection, user: User, client: Client, *, method: str = "password"
) -> dict[str, Any]:
    """``begin_session`` of an account that this transaction made: nobody has logged in to it before."""
    now = datetime.now(UTC)
    refresh_token, login = _new_login(user, client, method, now)
    await sessions.create_session(connection, login)
    await audit.record(
        connection,
        actor_of_user(user, client),
        "user.logged_in",
        organization_id=None,
        target=f"session:{login.session_id}",
        details={"method": method},
    )
    return _tokens(context, login, refresh_token, now, await public(connection, user))


async def begin_undisturbed(
    context: Context, connection: Connection, user: User, client: Client, subjects: Subjects
) -> dict[str, Any] | None:
    """``begin_session`` after the right password of ``user``, and the login noted, in one statement.

    None when something is in the way of that (``store/logins.py``); then nothing was done.
    """
    now = datetime.now(UTC)
    refresh_token, login = _new_login(user, client, "password", now)
    memberships = await logins.begin(
        connection, user, login, account=subjects.account, client=subjects.client, request_id=client.request_id
    )
    if memberships is None:
        return None
    return _tokens(context, login, refresh_token, now, _shown(user, memberships))


def _new_login(user: User, client: Client, method: str, now: datetime) -> tuple[str, Login]:
    refresh_token, sha256 = make_refresh_token()
    until = now + REFRESH_LIFETIME
    return refresh_token, Login(uuid4(), user.id, sha256, method, client.ip, client.user_agent, until)


def _tokens(context: Context, login: Login, refresh_token: str, now: datetime, user: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": context.keys.tokens.issue(login.user_id, login.session_id, now),
        "refresh_token": refresh_token,
        "expires_in": ACCESS_SECONDS,
        "user": user,
    }


def actor_of_user(user: User, client: Client) -> Actor:
    """Somebody who is just signing in, for the audit log."""
    return Actor("user", user.id, user.id, client.ip, client.request_id)


async def public(connection: Connection, user: User) -> dict[str, Any]:
    """A user with the organizations, as that user sees the account."""
    return _shown(user, await organizations.list_memberships(connection, user.id))


def _shown(user: User, memberships: Sequence[Membership]) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified_at is not None,
        "username": user.username,
        "name": user.name,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_login_at": user.last_login_at,
        "organizations": memberships,
    }
