"""Changing the own account. Name and user name change at once, an e-mail address when its owner has confirmed it."""

from typing import Any

from agentauri.accounts import lockout
from agentauri.accounts.emails import parse_email, parse_username
from agentauri.accounts.roles import Principal
from agentauri.channels.mail import Mail
from agentauri.models.problems import Problems
from agentauri.serve.auth import guess
from agentauri.serve.auth.addresses import ask_for_change
from agentauri.serve.auth.begin import public
from agentauri.serve.auth.new_password import confirm_password, get_unchanged
from agentauri.serve.caller import Client, actor_of
from agentauri.serve.context import Context
from agentauri.store import audit, users
from agentauri.store.database import Connection
from agentauri.store.users import User


async def change(context: Context, principal: Principal, client: Client, sent: dict[str, Any]) -> dict[str, Any]:
    """Change the fields that were sent; nothing sent changes nothing.

    A new address takes the password, where there is one. Raises InvalidRequest, Conflict, Forbidden, AccountLocked,
    RateLimited, and Unavailable where no mail can be sent.
    """
    _check(sent)
    async with context.pool.acquire() as connection:
        user = await users.get_user(connection, principal.user)
    if sent.get("email", user.email) == user.email:
        sent.pop("email", None)
        return await _apply(context, principal, client, user, sent)
    context.mailer.check()
    subjects = lockout.of_user(user.id, client.ip)
    async with guess.turn(context, subjects):
        await confirm_password(context, user, sent.get("current_password"), client, "/current_password")
        return await _apply(context, principal, client, user, sent, subjects)


async def _apply(
    context: Context,
    principal: Principal,
    client: Client,
    user: User,
    sent: dict[str, Any],
    subjects: lockout.Subjects | None = None,
) -> dict[str, Any]:
    """The transaction of a change; mails go out after it."""
    mails: list[Mail] = []
    changed = [name for name in ("name", "username", "email") if name in sent]
    async with context.pool.acquire() as connection, connection.transaction():
        if subjects is None:
            found = await users.get_for_change(connection, user.id)
        else:
            await guess.succeed(connection, subjects)
            found = await get_unchanged(connection, user)
            mails = await ask_for_change(context, connection, found, sent["email"])
        found = await _change_names(connection, found, sent)
        if changed:
            actor = actor_of(principal, client)
            await audit.record(connection, actor, "user.changed", organization_id=None, details={"fields": changed})
        answer = await public(connection, found)
    for mail in mails:
        context.mailer.offer(mail)
    return answer


async def _change_names(connection: Connection, user: User, sent: dict[str, Any]) -> User:
    if not {"name", "username"} & set(sent):
        return user
    name, username = sent.get("name", user.name), sent.get("username", user.username)
    return await users.change_profile(connection, user.id, name=name, username=username)


def _check(sent: dict[str, Any]) -> None:
    """Bring what was sent into its normal form. Raises InvalidRequest with every problem."""
    problems = Problems()
    if "name" in sent:
        sent["name"] = sent["name"].strip()
    if sent.get("username") is not None:
        sent["username"] = problems.check("/username", parse_username, sent["username"])
    if "email" in sent:
        sent["email"] = problems.check("/email", parse_email, sent["email"])
    problems.refuse("the account cannot be changed")
