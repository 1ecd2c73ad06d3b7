"""From a provider's word to a user: one transaction finds, makes or attaches, and leaves a one-time code.

An identity that was seen before is its user. A new one meets an account with the same e-mail only when both sides
have verified it; else it is told to log in there and link. Everything else makes a new account, which gets the e-mail
only if the provider verified it.
"""

from uuid import UUID

from agentauri import logs
from agentauri.accounts.social import (
    ATTEMPT_LIFETIME,
    CODE_LIFETIME,
    email_of,
    hash_of,
    is_answered,
    make_code,
    may_attach,
)
from agentauri.errors import Conflict, InvalidRequest, Unauthenticated
from agentauri.models.social import Profile
from agentauri.serve.auth.begin import begin_session, create_account
from agentauri.serve.auth.social.pending import LOST, Pending
from agentauri.serve.auth.social.schemas import ExchangeBody
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import access, audit, identities, login_codes, users
from agentauri.store.database import Connection
from agentauri.store.users import User

log = logs.get("social")
NOT_EXCHANGED = "the code is not valid, has run out, or was used before; begin the login again."
DISABLED = "this account is disabled."
SIGNED_OUT = "you have logged out meanwhile; log in and link again."


async def finish(context: Context, pending: Pending, profile: Profile, client: Client) -> str | None:
    """Log in, or link: the one-time code of the login, None when linked. Raises Conflict, Unauthenticated, …"""
    async with context.pool.acquire() as connection, connection.transaction():
        if not await login_codes.take_state(connection, hash_of(pending.attempt.state), ATTEMPT_LIFETIME):
            raise InvalidRequest(LOST, [("/query/state", LOST)])
        await identities.lock_identity(connection, profile.provider, profile.subject)
        if pending.user_id is not None and pending.session_id is not None:
            await _link(connection, profile, pending.user_id, pending.session_id, client)
            return None
        user = await _sign_in(context, connection, profile, client)
        code, sha256 = make_code()
        await login_codes.create_code(
            connection,
            login_codes.NewLoginCode(
                sha256, user.id, profile.provider, pending.challenge, client.ip, client.user_agent, CODE_LIFETIME
            ),
        )
        return code


async def _link(connection: Connection, profile: Profile, user_id: UUID, session_id: UUID, client: Client) -> None:
    """Attach an identity to the account whose live session asked for it."""
    if not await access.list_session_memberships(connection, session_id, user_id):
        raise Unauthenticated(SIGNED_OUT)
    known = await identities.find_identity(connection, profile.provider, profile.subject)
    if known is None:
        await _attach(connection, profile, user_id, client)
    elif known.user_id != user_id:
        raise Conflict(f"this {profile.provider.brand} account belongs to another user here.")


async def _sign_in(context: Context, connection: Connection, profile: Profile, client: Client) -> User:
    """Whose login this is. Raises Conflict when it may be somebody's who has to say so."""
    known = await identities.find_identity(connection, profile.provider, profile.subject)
    email = email_of(profile)
    if known is not None:
        user = await users.get_user(connection, known.user_id)
        await identities.touch_identity(connection, profile.provider, profile.subject, email)
        return _live(user)
    same = None if email is None else await users.find_by_login(connection, email=email, username=None)
    if same is not None:
        if not may_attach(profile, verified_here=same.email_verified_at is not None):
            raise Conflict(
                f"an account with this e-mail exists; log in to it, then link {profile.provider.brand} "
                f"at /api/v1/auth/link/{profile.provider}."
            )
        await _attach(connection, profile, _live(same).id, client)
        return same
    verified = email if profile.email_verified else None
    user, _ = await create_account(
        context, connection, client, email=verified, name=profile.name, verified=verified is not None
    )
    await _attach(connection, profile, user.id, client)
    log.info("user_registered", user=str(user.id), provider=profile.provider)
    return user


async def _attach(connection: Connection, profile: Profile, user_id: UUID, client: Client) -> None:
    await identities.attach_identity(
        connection, provider=profile.provider, subject=profile.subject, user_id=user_id, email=email_of(profile)
    )
    actor = audit.Actor("user", user_id, user_id, client.ip, client.request_id)
    details = {"provider": profile.provider, "subject": profile.subject}
    await audit.record(
        connection, actor, "identity.linked", organization_id=None, target=f"user:{user_id}", details=details
    )


def _live(user: User) -> User:
    if user.disabled_at is not None:
        raise Unauthenticated(DISABLED)
    return user


async def exchange(context: Context, connection: Connection, body: ExchangeBody, client: Client) -> dict[str, object]:
    """The tokens of the login behind a one-time code. Raises Unauthenticated. In the caller's transaction."""
    found = await login_codes.take_code(connection, hash_of(body.code))
    if found is None or not is_answered(found.challenge, body.verifier):
        raise Unauthenticated(NOT_EXCHANGED)
    user = _live(await users.get_user(connection, found.user_id))
    return await begin_session(context, connection, user, client, method=found.method)
