"""Setting a new password: knowing the old one, or by a mail when it is forgotten.

Whoever asks for the mail hears the same at the same time, for any address: whether there is an account is looked up
after the answer, in the background. A new password ends the other sessions, and every token that a mail still
carries, so that nobody who was in the account gets back in.
"""

from agentauri.accounts import lockout
from agentauri.accounts.emails import login_name
from agentauri.accounts.mail_tokens import Purpose, mail_token_hash
from agentauri.accounts.roles import Principal
from agentauri.channels.mail import Mail
from agentauri.errors import Conflict, Forbidden, InvalidRequest
from agentauri.models.problems import Problems
from agentauri.serve.auth import guess, mails
from agentauri.serve.auth.addresses import issue, refusal, take
from agentauri.serve.caller import Client, actor_of
from agentauri.serve.context import Context
from agentauri.store import access, audit, identities, mail_tokens, sessions, users
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
from agentauri.store.users import User

WRONG = "the current password is wrong."
NEEDED = "is required, for your account has a password."
CHANGED_MEANWHILE = "the account was changed by another request; look at it again and repeat yours."


async def check_strength(context: Context, user: User, password: str, pointer: str) -> None:
    """Raise InvalidRequest when a new password is a bad one."""
    weakness = await context.passwords.check(password, username=user.username, email=user.email)
    problems = Problems()
    if weakness is not None:
        problems.add(pointer, weakness)
    problems.refuse("the password cannot be set")


async def confirm_password(context: Context, user: User, password: str | None, client: Client, pointer: str) -> None:
    """Check that who is signed in knows the password, where there is one.

    Call it in a turn (``guess.turn``), outside any transaction. Raises InvalidRequest, Forbidden and AccountLocked.
    """
    if user.password_hash is None:
        return
    if password is None:
        raise InvalidRequest(f"{pointer} {NEEDED}", [(pointer, NEEDED)])
    if not await context.passwords.verify(user.password_hash, password):
        raise await guess.fail(context, lockout.of_user(user.id, client.ip), user, client, Forbidden(WRONG))


async def change(context: Context, principal: Principal, client: Client, current: str | None, new: str) -> None:
    """Replace the password of who is signed in, and end the other sessions. Raises as ``confirm_password``."""
    async with context.pool.acquire() as connection:
        user = await users.get_user(connection, principal.user)
    subjects = lockout.of_user(user.id, client.ip)
    async with guess.turn(context, subjects):
        await confirm_password(context, user, current, client, "/current_password")
        await check_strength(context, user, new, "/new_password")
        hashed = await context.passwords.hash(new)
        async with context.pool.acquire() as connection, connection.transaction():
            await guess.succeed(connection, subjects)
            await get_unchanged(connection, user)
            await _set(connection, user, hashed)
            await sessions.revoke_all(connection, user.id, "password_changed", but=principal.session)
            await audit.record(connection, actor_of(principal, client), "user.password_changed", organization_id=None)
    context.access.forget(f"user:{user.id}")
    _tell(context, user)


async def get_unchanged(connection: Connection, user: User) -> User:
    """The user, locked; the password is still the one that was checked. Raises Conflict."""
    found = await users.get_for_change(connection, user.id)
    if found.password_hash != user.password_hash:
        raise Conflict(CHANGED_MEANWHILE)
    return found


def forgot(context: Context, email: str) -> None:
    """Send the mail, if there is an account for it. Raises Unavailable, whoever asks."""

    async def write() -> Mail | None:
        async with context.pool.acquire() as connection, connection.transaction():
            found = await users.find_by_login(connection, email=login_name(email), username=None)
            if found is None or found.email is None or found.disabled_at is not None:
                return None
            user = await users.get_for_change(connection, found.id)
            token = await issue(connection, user.id, Purpose.RESET, found.email)
        return None if token is None else mails.reset_password(found.email, token, context.settings.public_url)

    context.mailer.put_writer(write)


async def reset(context: Context, token: str, password: str, client: Client) -> None:
    """Set the password that comes with a token, and end every session. Raises InvalidRequest."""
    sha256 = mail_token_hash(token)
    async with context.pool.acquire() as connection:
        found = await mail_tokens.find(connection, sha256, [Purpose.RESET])
        user = None if found is None else await users.get_user(connection, found.user_id)
    if user is None:
        raise refusal()
    await check_strength(context, user, password, "/password")
    hashed = await context.passwords.hash(password)
    async with context.pool.acquire() as connection, connection.transaction():
        await guess.forgive(connection, lockout.of_user(user.id, client.ip))
        await _reset(connection, sha256, hashed, client)
    context.access.forget(f"user:{user.id}")
    _tell(context, user)


async def _reset(connection: Connection, sha256: bytes, hashed: str, client: Client) -> None:
    """Steps within the transaction of a reset; of two with one token, the second finds it used."""
    user, found = await take(connection, sha256, [Purpose.RESET])
    if found.email != user.email:
        raise refusal()
    if user.email_verified_at is None:
        # Whoever made the account has never shown that the address is theirs: every other way in that they made goes.
        await identities.delete_identities(connection, user.id)
        await access.revoke_machines(connection, user.id, "password_reset")
    await users.verify_email(connection, user.id, found.email)
    await _set(connection, user, hashed)
    await sessions.revoke_all(connection, user.id, "password_reset")
    actor = Actor("user", user.id, user.id, client.ip, client.request_id)
    await audit.record(connection, actor, "user.password_reset", organization_id=None)


async def _set(connection: Connection, user: User, hashed: str) -> None:
    await users.set_password(connection, user.id, hashed)
    await mail_tokens.revoke(connection, user.id, (Purpose.RESET, Purpose.CHANGE))


def _tell(context: Context, user: User) -> None:
    """Tell the owner of the account, so that a thief's change is noticed."""
    if user.email is not None:
        context.mailer.offer(mails.password_changed(user.email, context.settings.public_url))
