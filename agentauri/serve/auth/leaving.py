"""Deleting an account: the user with everything that is the user's alone.

The personal organization goes with all that is in it, and so do organizations that have no other member. One with
other members but no other owner stands in the way: it would belong to nobody. Memberships elsewhere just end. The
audit log keeps what was done, under ids that lead to nobody.
"""

from uuid import UUID

from agentauri.accounts import lockout
from agentauri.accounts.roles import Principal
from agentauri.errors import Conflict
from agentauri.serve.auth import guess
from agentauri.serve.auth.new_password import confirm_password, get_unchanged
from agentauri.serve.caller import Client, actor_of
from agentauri.serve.context import Context
from agentauri.store import audit, closing, members, organizations, users
from agentauri.store.database import Connection
from agentauri.store.users import User


async def delete_account(context: Context, principal: Principal, client: Client, password: str | None) -> None:
    """Delete who is signed in. Raises Conflict, Forbidden, AccountLocked, and InvalidRequest without the password.

    ① the user goes, and what is the user's alone is closed: nobody reaches it from here on; ② the rest of its triggers
    goes; ③ maintenance takes its other rows away. A crash after ① leaves ② to maintenance too.
    """
    async with context.pool.acquire() as connection:
        user = await users.get_user(connection, principal.user)
    subjects = lockout.of_user(user.id, client.ip)
    async with guess.turn(context, subjects):
        await confirm_password(context, user, password, client, "/password")
        async with context.pool.acquire() as connection:
            async with connection.transaction():
                await guess.succeed(connection, subjects)
                await audit.record(connection, actor_of(principal, client), "user.deleted", organization_id=None)
                closed = await _delete(connection, user)
            for id_ in closed:
                while await closing.remove_triggers(connection, id_) == closing.BATCH_TRIGGERS:
                    pass  # each batch commits by itself
    context.access.forget(f"user:{user.id}")


async def _delete(connection: Connection, user: User) -> list[UUID]:
    """The steps of ①; closing takes the log's lock (P2), so little comes after it. Returns what was closed."""
    await get_unchanged(connection, user)
    alone = await members.list_sole_ownerships(connection, user.id)
    for id_ in alone:
        await _refuse_others(connection, id_)
    owned = await organizations.list_memberships(connection, user.id)
    for personal in [one.id for one in owned if one.personal]:
        await organizations.get_for_change(connection, personal)
        alone.append(personal)
    for id_ in alone:
        await closing.close(connection, id_)
    await users.delete_user(connection, user.id)
    return alone


async def _refuse_others(connection: Connection, organization_id: UUID) -> None:
    _, total = await members.list_members(connection, organization_id, limit=1, offset=0)
    if total > 1:
        found = await organizations.get_organization(connection, organization_id)
        raise Conflict(
            f'you are the only owner of "{found.name}" ({found.id}), which has other members; '
            "transfer or delete it first."
        )
