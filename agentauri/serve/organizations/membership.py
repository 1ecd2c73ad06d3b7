"""Members added, changed, removed, leaving, and ownership that goes to another: the steps within one transaction.

Each begins with the organization's lock, so the last owner is told apart from the last but one however many act at
once. Whoever may no longer invite loses the invitations that wait for an answer.
"""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from agentauri.accounts.membership import (
    check_change,
    check_grant,
    check_not_personal,
    check_owner_stays,
    lost_grants,
    masked_email,
)
from agentauri.accounts.roles import Principal, Role
from agentauri.errors import Conflict
from agentauri.serve.caller import Client, note
from agentauri.serve.context import Context
from agentauri.serve.organizations.service import lock, user_target
from agentauri.serve.plan_limits import check_limits
from agentauri.store import invitations, members
from agentauri.store.database import Connection
from agentauri.store.limits import Countable
from agentauri.store.members import Member

OWN_ALREADY = "you own this organization already; name another member."


def public(found: Member, principal: Principal) -> dict[str, Any]:
    """A member as answers show it: the address masked below admin."""
    clear = principal.role.reaches(Role.ADMIN) or found.user_id == principal.user_id
    return {**asdict(found), "email": found.email if clear else masked_email(found.email)}


async def add(
    context: Context, connection: Connection, principal: Principal, client: Client, user_id: UUID, role: Role
) -> dict[str, Any]:
    """Add a user. Raises Forbidden, NotFound, Conflict or LimitReached."""
    found, actor = await lock(connection, principal, Role.ADMIN)
    check_not_personal(found.personal)
    check_grant(actor, role)
    added = await members.add_member(connection, found.id, user_id, role)
    await check_limits(context, connection, found.id, {Countable.MEMBERS: 1})
    await note(connection, principal, client, "member.added", user_target(user_id), {"role": role})
    return public(added, principal)


async def change(
    connection: Connection, principal: Principal, client: Client, user_id: UUID, role: Role
) -> dict[str, Any]:
    """Give a member another role. Raises Forbidden, NotFound, and Conflict for the last owner."""
    old = await _prepare(connection, principal, user_id, role)
    if old.role == role:
        return public(old, principal)
    await members.set_role(connection, principal.organization_id, user_id, role)
    await _forget_grants(connection, principal, user_id, role)
    details = {"from": old.role, "to": role}
    await note(connection, principal, client, "member.role_changed", user_target(user_id), details)
    return public(await members.get_member(connection, principal.organization_id, user_id), principal)


async def remove(connection: Connection, principal: Principal, client: Client, user_id: UUID) -> None:
    """Remove a member. Raises Forbidden, NotFound, and Conflict for the last owner."""
    old = await _prepare(connection, principal, user_id, None)
    await _take_out(connection, principal, user_id)
    await note(connection, principal, client, "member.removed", user_target(user_id), {"role": old.role})


async def leave(connection: Connection, principal: Principal, client: Client) -> None:
    """Leave. Raises Conflict for the last owner, and for the personal organization."""
    found, role = await lock(connection, principal, Role.VIEWER)
    check_not_personal(found.personal)
    check_owner_stays(role, None, await members.count_owners(connection, found.id))
    await _take_out(connection, principal, principal.user)
    await note(connection, principal, client, "member.left", user_target(principal.user), {"role": role})


async def transfer(connection: Connection, principal: Principal, client: Client, user_id: UUID) -> None:
    """Make a member the owner in the caller's place, who stays as an admin. Raises NotFound, Forbidden or Conflict."""
    found, _ = await lock(connection, principal, Role.OWNER)
    check_not_personal(found.personal)
    if user_id == principal.user:
        raise Conflict(OWN_ALREADY)
    heir = await members.get_member(connection, found.id, user_id)
    await members.set_role(connection, found.id, user_id, Role.OWNER)
    await members.set_role(connection, found.id, principal.user, Role.ADMIN)
    await _forget_grants(connection, principal, principal.user, Role.ADMIN)
    details = {"from": str(principal.user), "was": heir.role}
    await note(connection, principal, client, "organization.transferred", user_target(user_id), details)


async def _prepare(connection: Connection, principal: Principal, user_id: UUID, role: Role | None) -> Member:
    """The member, if the caller may make that of it (None: nothing)."""
    found, actor = await lock(connection, principal, Role.ADMIN)
    old = await members.get_member(connection, found.id, user_id)
    check_change(actor, Role(old.role), role)
    check_owner_stays(Role(old.role), role, await members.count_owners(connection, found.id))
    return old


async def _take_out(connection: Connection, principal: Principal, user_id: UUID) -> None:
    await members.remove_member(connection, principal.organization_id, user_id)
    await _forget_grants(connection, principal, user_id, None)


async def _forget_grants(connection: Connection, principal: Principal, user_id: UUID, role: Role | None) -> None:
    lost = lost_grants(role)
    await invitations.delete_written_by(connection, principal.organization_id, user_id, lost)
