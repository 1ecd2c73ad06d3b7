"""Showing whose an e-mail address is: the mails that ask, and the token that comes back.

An account takes a new address only when its token returns from there; until then the old one holds, and it is told.
A mail is written outside the request that causes it; what limits them is counted under the user's lock, so that no
crowd of requests fills anybody's mailbox.
"""

from collections.abc import Sequence
from datetime import timedelta

from agentauri import logs
from agentauri.accounts.mail_tokens import LIFETIME, MAX_AN_HOUR, Purpose, mail_token_hash, make_mail_token
from agentauri.channels.mail import Mail
from agentauri.errors import Conflict, InvalidRequest, RateLimited, Unavailable
from agentauri.models.ids import UserId
from agentauri.serve.auth import mails
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import audit, mail_tokens, users
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
from agentauri.store.mail_tokens import MailToken
from agentauri.store.users import User

log = logs.get("auth")
HOUR = timedelta(hours=1)
NOT_VALID = "is not valid, was used before, or has expired; ask for a new mail."
TOO_MANY = f"{MAX_AN_HOUR} such mails were sent within the last hour; look for them, or try again in an hour."


async def issue(connection: Connection, user_id: UserId, purpose: Purpose, email: str) -> str | None:
    """A new token for a mail to ``email``; None: the account has caused enough of them. The user is locked."""
    if await mail_tokens.count_recent(connection, user_id, purpose, HOUR) >= MAX_AN_HOUR:
        return None
    token, sha256 = make_mail_token()
    await mail_tokens.create(
        connection, user_id=user_id, purpose=purpose, email=email, token_sha256=sha256, lifetime=LIFETIME[purpose]
    )
    return token


def welcome(context: Context, user_id: UserId) -> None:
    """Ask a new user to verify the address, where this deployment sends mail at all."""

    async def write() -> Mail | None:
        async with context.pool.acquire() as connection, connection.transaction():
            return await _write(context, connection, await users.get_for_change(connection, user_id))

    try:
        context.mailer.put_writer(write)
    except Unavailable as error:
        log.warning("address_not_verified", user=str(user_id), reason=error.message)


async def send_again(context: Context, user_id: UserId) -> None:
    """Send the mail once more. Raises Conflict when there is nothing to verify, RateLimited, Unavailable."""
    context.mailer.check()
    async with context.pool.acquire() as connection, connection.transaction():
        user = await users.get_for_change(connection, user_id)
        if user.email is None:
            raise Conflict("your account has no e-mail address; PATCH /api/v1/auth/me gives it one.")
        if user.email_verified_at is not None:
            raise Conflict("your e-mail address is verified already.")
        mail = await _write(context, connection, user)
    if mail is None:
        raise RateLimited(TOO_MANY, HOUR // timedelta(seconds=1))
    context.mailer.put(mail)


async def _write(context: Context, connection: Connection, user: User) -> Mail | None:
    if user.email is None:
        return None
    token = await issue(connection, user.id, Purpose.VERIFY, user.email)
    return None if token is None else mails.verify_address(user.email, token, context.settings.public_url)


async def ask_for_change(context: Context, connection: Connection, user: User, email: str) -> list[Mail]:
    """The mails about a new address: to it with the token, and to the old one. Raises Conflict and RateLimited."""
    if await users.is_email_taken(connection, email, but=user.id):
        raise Conflict("another account has this e-mail address.")
    token = await issue(connection, user.id, Purpose.CHANGE, email)
    if token is None:
        raise RateLimited(TOO_MANY, HOUR // timedelta(seconds=1))
    url = context.settings.public_url
    asked = [mails.change_address(email, token, url)]
    return asked if user.email is None else [*asked, mails.address_changing(user.email, url)]


async def confirm(context: Context, token: str, client: Client) -> str:
    """Take a token that came back; the account has that address then, and it is verified. Returns the address.

    Raises InvalidRequest, and Conflict when another account took the address meanwhile (the token stays good).
    """
    sha256 = mail_token_hash(token)
    async with context.pool.acquire() as connection, connection.transaction():
        user, found = await take(connection, sha256, (Purpose.VERIFY, Purpose.CHANGE))
        if not _fits(found, user):
            raise refusal()
        await users.verify_email(connection, user.id, found.email)
        changes = found.purpose == Purpose.CHANGE
        if changes:
            await mail_tokens.revoke(connection, user.id, tuple(Purpose))
        actor = Actor("user", user.id, user.id, client.ip, client.request_id)
        action = "user.email_changed" if changes else "user.email_verified"
        await audit.record(connection, actor, action, organization_id=None)
    return found.email


async def take(connection: Connection, sha256: bytes, purposes: Sequence[Purpose]) -> tuple[User, MailToken]:
    """Use a token up, its user locked first, as whoever makes or revokes tokens does. Raises InvalidRequest."""
    seen = await mail_tokens.find(connection, sha256, purposes)
    if seen is None:
        raise refusal()
    user = await users.get_for_change(connection, seen.user_id)
    found = await mail_tokens.use(connection, sha256, purposes)
    if found is None or user.disabled_at is not None:
        raise refusal()
    return user, found


def refusal() -> InvalidRequest:
    """What a token is told that does nothing."""
    return InvalidRequest(f"/token {NOT_VALID}", [("/token", NOT_VALID)])


def _fits(token: MailToken, user: User) -> bool:
    """Whether a token is still about what the account has: one of an address that was left does nothing."""
    return token.purpose == Purpose.CHANGE or token.email.casefold() == (user.email or "").casefold()
