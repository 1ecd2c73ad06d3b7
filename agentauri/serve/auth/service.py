"""Registering and logging in: each ends in one transaction, and a password is hashed before it begins."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from agentauri import logs
from agentauri.accounts import lockout
from agentauri.accounts.emails import login_name, parse_email, parse_username
from agentauri.accounts.lockout import Subjects
from agentauri.accounts.roles import Principal
from agentauri.accounts.tokens import ACCESS_SECONDS, REFRESH_LIFETIME, make_refresh_token, refresh_hash
from agentauri.errors import Unauthenticated
from agentauri.models.ids import UserId
from agentauri.models.problems import Problems
from agentauri.serve.auth import guess
from agentauri.serve.auth.begin import begin_first_session, begin_session, begin_undisturbed, create_account, public
from agentauri.serve.auth.schemas import LoginBody, RegisterBody
from agentauri.serve.caller import Client, actor_of
from agentauri.serve.context import Context
from agentauri.store import audit, logins, sessions, users
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
from agentauri.store.users import User

log = logs.get("auth")
NOT_REFRESHED = "the refresh token is not valid, has expired, or was used before; log in again."
WRONG = "the e-mail, user name or password is wrong."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A registration that was checked, its password hashed."""

    email: str | None
    username: str | None
    name: str
    password_hash: str


async def prepare(context: Context, body: RegisterBody) -> Prepared:
    """Check a registration and hash its password. Raises InvalidRequest with every problem found."""
    problems = Problems()
    email = problems.check("/email", parse_email, body.email)
    username = None if body.username is None else problems.check("/username", parse_username, body.username)
    weakness = await context.passwords.check(body.password, username=username, email=email)
    if weakness is not None:
        problems.add("/password", weakness)
    problems.refuse("the account cannot be made")
    return Prepared(email, username, body.name.strip(), await context.passwords.hash(body.password))


async def register(context: Context, connection: Connection, prepared: Prepared, client: Client) -> dict[str, Any]:
    """Make user, personal organization, first webhook secret and session. Raises Conflict."""
    user, secret = await create_account(context, connection, client, **asdict(prepared))
    answer = await begin_first_session(context, connection, user, client)
    log.info("user_registered", user=str(user.id))
    return {**answer, "webhook_secret": secret}


async def login(context: Context, body: LoginBody, client: Client) -> dict[str, Any]:
    """Check credentials and begin a session. Raises Unauthenticated, the same whatever is wrong, and AccountLocked."""
    email, username = (None if name is None else login_name(name) for name in (body.email, body.username))
    nobody = lockout.of_name(email or username or "", client.ip)
    async with context.pool.acquire() as connection:
        standing = await logins.find_standing(
            connection,
            email=email,
            username=username,
            prefix=lockout.USER,
            nobody=nobody.account,
            client=nobody.client,
        )
    user = standing.user
    subjects = nobody if user is None else Subjects(lockout.account(user.id), nobody.client)
    async with guess.turn(context, subjects, just_read=standing.locked):
        right = await context.passwords.verify(None if user is None else user.password_hash, body.password)
        if not right or user is None or user.disabled_at is not None:
            raise await guess.fail(context, subjects, user, client, Unauthenticated(WRONG))
        renewed = None
        if context.passwords.is_outdated(str(user.password_hash)):
            renewed = await context.passwords.hash(body.password)
        async with context.pool.acquire() as connection:
            begun = None if renewed else await begin_undisturbed(context, connection, user, client, subjects)
            return begun or await _begin_step_by_step(context, connection, user, client, subjects, renewed)


async def _begin_step_by_step(
    context: Context, connection: Connection, user: User, client: Client, subjects: Subjects, renewed: str | None
) -> dict[str, Any]:
    """Begin a session under the locks of all that stood against doing it at once. Raises what ``login`` does."""
    async with connection.transaction():
        await guess.succeed(connection, subjects)
        await _still_right(connection, user)
        return await begin_session(context, connection, user, client, renewed=renewed)


async def _still_right(connection: Connection, checked: User) -> None:
    """Raise Unauthenticated when the password was changed while it was being checked: that ends all sessions."""
    user = await users.get_for_change(connection, checked.id)
    if user.password_hash != checked.password_hash or user.disabled_at is not None:
        raise Unauthenticated(WRONG)


async def refresh(context: Context, token: str, client: Client) -> dict[str, Any]:
    """New tokens for a refresh token. Raises Unauthenticated; a token used again later ends its session."""
    old, now = refresh_hash(token), datetime.now(UTC)
    async with context.pool.acquire() as connection, connection.transaction():
        found = await sessions.find_refresh_token(connection, old)
        successor = None if found is None or not found.is_live else await _succeed(context, connection, found, old, now)
        if found is not None and successor is not None:
            user = await users.get_user(connection, found.user_id)
            return {
                "token": context.keys.tokens.issue(found.user_id, found.session_id, now),
                "refresh_token": successor,
                "expires_in": ACCESS_SECONDS,
                "user": await public(connection, user),
            }
        if found is not None and found.is_live:
            await _end_as_stolen(connection, found, client)
    raise Unauthenticated(NOT_REFRESHED)


async def _succeed(
    context: Context, connection: Connection, found: sessions.RefreshToken, old: bytes, now: datetime
) -> str | None:
    """The token after ``found``; None when it was used before: one of two users is a thief."""
    sealed_for = f"refresh_token:{old.hex()}"
    if found.successor_sealed is None:
        text, new = make_refresh_token()
        await sessions.rotate(
            connection,
            found.session_id,
            old_sha256=old,
            new_sha256=new,
            sealed=context.vault.seal(text.encode(), sealed_for),
            expires_at=now + REFRESH_LIFETIME,
        )
        return text
    if found.in_grace:
        return context.vault.open(found.successor_sealed, sealed_for).decode()
    return None


async def _end_as_stolen(connection: Connection, found: sessions.RefreshToken, client: Client) -> None:
    await sessions.revoke(connection, found.session_id, "refresh_token_reused")
    actor = Actor("user", None, found.user_id, client.ip, client.request_id)
    target = f"session:{found.session_id}"
    await audit.record(connection, actor, "session.token_reused", organization_id=None, target=target)
    log.warning("refresh_token_reused", session=str(found.session_id), user=str(found.user_id))


async def logout(context: Context, principal: Principal, client: Client) -> None:
    """End the session of the token that was sent."""
    async with context.pool.acquire() as connection, connection.transaction():
        await sessions.revoke(connection, principal.session, "logout")
        actor, target = actor_of(principal, client), f"session:{principal.session}"
        await audit.record(connection, actor, "user.logged_out", organization_id=None, target=target)
    context.access.forget(f"session:{principal.session}")  # here at once; the other replicas hear of it


async def me(context: Context, user_id: UserId) -> dict[str, Any]:
    """The user and the organizations. Raises NotFound."""
    async with context.pool.acquire() as connection:
        return await public(connection, await users.get_user(connection, user_id))
