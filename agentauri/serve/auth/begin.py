"""How an account begins and how a session does, whichever way somebody signs in. All in the caller's transaction."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from agentauri.accounts.tokens import ACCESS_SECONDS, REFRESH_LIFETIME, make_refresh_token
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import audit, new_accounts, organizations, sessions
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
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
    context: Context, connection: Connection, user: User, client: Client, *, method: str = "password"
) -> dict[str, Any]:
    """A session, as the answer to a login tells of it. ``method``: how the user signed in."""
    now, session_id = datetime.now(UTC), uuid4()
    refresh_token, token_sha256 = make_refresh_token()
    login = sessions.Login(
        session_id, user.id, token_sha256, method, client.ip, client.user_agent, now + REFRESH_LIFETIME
    )
    await sessions.create_session(connection, login)
    await audit.record(
        connection,
        actor_of_user(user, client),
        "user.logged_in",
        organization_id=None,
        target=f"session:{session_id}",
        details={"method": method},
    )
    return {
        "token": context.keys.tokens.issue(user.id, session_id, now),
        "refresh_token": refresh_token,
        "expires_in": ACCESS_SECONDS,
        "user": await public(connection, user),
    }


def actor_of_user(user: User, client: Client) -> Actor:
    """Somebody who is just signing in, for the audit log."""
    return Actor("user", user.id, user.id, client.ip, client.request_id)


async def public(connection: Connection, user: User) -> dict[str, Any]:
    """A user with the organizations, as that user sees the account."""
    memberships = await organizations.list_memberships(connection, user.id)
    return {
        "id": user.id,
        "email": user.email,
        "email_verified": user.email_verified_at is not None,
        "username": user.username,
        "name": user.name,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "last_login_at": user.last_login_at,
        "organizations": [asdict(membership) for membership in memberships],
    }
