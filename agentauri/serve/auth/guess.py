"""Checking a password that somebody sends, so that guessing does not pay.

Whoever checks one has a turn (``gate.py``), is refused while account or client is locked, and either fails or
succeeds here. A lock that falls while a password is being checked hides the outcome: it is told to nobody, right or
wrong. A name that nobody has costs the same hash, statements and locks as an account.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agentauri.accounts.lockout import ALLOWANCE, SCHEDULE, Subjects, of_name, of_user
from agentauri.errors import AccountLocked, RequestError
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import audit, lockouts
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
from agentauri.store.users import User

MINUTE = 60


def subjects_of(user: User | None, name: str, client: Client) -> Subjects:
    """Whom a failure counts against: the account, or the name that has none, and the client."""
    return of_name(name, client.ip) if user is None else of_user(user.id, client.ip)


@asynccontextmanager
async def turn(context: Context, subjects: Subjects) -> AsyncIterator[None]:
    """Wait for a turn at checking a password. Raises AccountLocked."""
    async with context.gate.turn(subjects):
        async with context.pool.acquire() as connection:
            seconds = await lockouts.find_lock(connection, subjects.account, subjects.client)
        if seconds is not None:
            raise _locked(seconds)
        yield


async def fail(
    context: Context, subjects: Subjects, user: User | None, client: Client, refusal: RequestError
) -> RequestError:
    """Count a wrong password; returns what to raise: ``refusal``, or that a lock fell meanwhile."""
    async with context.pool.acquire() as connection, connection.transaction():
        failure = await lockouts.record_failure(connection, subjects.account, subjects.client, SCHEDULE)
        if failure.locks_account or failure.locks_client:
            actor = Actor("user", None, None if user is None else user.id, client.ip, client.request_id)
            details = {"account": failure.locks_account, "client": failure.locks_client}
            await audit.record(connection, actor, "login.locked", organization_id=None, details=details)
        if failure.counted:
            return refusal
        return _locked(await lockouts.find_lock(connection, subjects.account, subjects.client) or 1)


async def succeed(connection: Connection, subjects: Subjects) -> None:
    """Forget the failures, in the transaction of what the password was for. Raises AccountLocked."""
    seconds = await lockouts.hold(connection, subjects.account, subjects.client)
    if seconds:
        raise _locked(seconds)
    if seconds is not None:
        await lockouts.forget(connection, subjects.account, subjects.client, ALLOWANCE)


async def forgive(connection: Connection, subjects: Subjects) -> None:
    """Forget the failures and what they locked: somebody has shown otherwise whose the account is."""
    await lockouts.hold(connection, subjects.account, subjects.client)
    await lockouts.forget(connection, subjects.account, subjects.client, ALLOWANCE)


def _locked(seconds: int) -> AccountLocked:
    minutes = -(-seconds // MINUTE)
    within = "a minute" if minutes == 1 else f"{minutes} minutes"
    return AccountLocked(f"too many wrong passwords; try again in {within}.", seconds)
