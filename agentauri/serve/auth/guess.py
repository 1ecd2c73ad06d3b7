"""Checking a password that somebody sends, so that guessing does not pay.

Whoever checks one has a turn (``gate.py``), is refused while account or client is locked, and either fails or
succeeds here. A lock that falls while a password is being checked hides the outcome: it is told to nobody, right or
wrong. A name that nobody has costs the same hash, statements and locks as an account.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agentauri.accounts.lockout import ALLOWANCE, SCHEDULE, Subjects
from agentauri.errors import AccountLocked, RequestError
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import audit, lockouts
from agentauri.store.audit import Actor
from agentauri.store.database import Connection
from agentauri.store.users import User

MINUTE = 60


@asynccontextmanager
async def turn(context: Context, subjects: Subjects, *, just_read: int | None = None) -> AsyncIterator[None]:
    """Wait for a turn at checking a password. Raises AccountLocked.

    ``just_read``: seconds of the lock, 0 for none, as it was a moment ago. It is asked again when somebody failed
    before the turn came, so that a lock costs no more hashes; what falls elsewhere is found after the hash.
    """
    async with context.gate.turn(subjects) as failed:
        seconds = just_read
        if seconds is None or failed:
            async with context.pool.acquire() as connection:
                seconds = await lockouts.find_lock(connection, subjects.account, subjects.client)
        if seconds:
            raise _locked(seconds)
        yield


async def fail(
    context: Context, subjects: Subjects, user: User | None, client: Client, refusal: RequestError
) -> RequestError:
    """Count a wrong password; returns what to raise: ``refusal``, or that a lock fell meanwhile."""
    context.gate.note_failure(subjects)
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
