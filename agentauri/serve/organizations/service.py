"""Organizations made, renamed, paused, resumed and closed; each change stands with its audit entry in one transaction.

Whoever changes something holds the organization's row, and is asked for the own role again under that lock: one that
was taken away a moment ago does nothing any more.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.accounts.roles import Principal, Role
from agentauri.errors import Conflict, Forbidden, LimitReached, NotFound
from agentauri.models.plan import Plan
from agentauri.serve.caller import Client, actor_of, note
from agentauri.serve.context import Context
from agentauri.store import audit, closing, limits, members, organizations, pausing, webhook_secrets
from agentauri.store.database import Connection
from agentauri.store.maintenance import BATCH_ROWS
from agentauri.store.organizations import Organization

MAX_OWNED = 50
"""Organizations that one user owns beside the personal one."""
BATCHES_AT_ONCE = 20
"""A request holds or releases so many batches of deliveries itself; maintenance does the rest within a minute."""
KEPT = "the personal organization goes with its user's account; it cannot be deleted alone."


async def lock(connection: Connection, principal: Principal, least: Role) -> tuple[Organization, Role]:
    """The organization, locked, and what the caller is in it at this moment. Raises NotFound or Forbidden."""
    found = await organizations.get_for_change(connection, principal.organization_id)
    role = principal.role
    if principal.user_id is not None:
        member = await members.find_member(connection, found.id, principal.user_id)
        if member is None:
            raise NotFound(organizations.NOT_FOUND)
        role = Role(member.role)
    if not role.reaches(least):
        raise Forbidden(f"this needs the role {least} in the organization; yours is {role}.")
    return found, role


def public(found: Organization, role: Role | str) -> dict[str, Any]:
    """An organization as answers show it."""
    return {**asdict(found), "role": role}


async def list_mine(
    context: Context, principal: Principal, *, limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """A page of the caller's organizations, and how many there are; keys and clients have the one they belong to."""
    async with context.pool.acquire() as connection:
        if principal.user_id is not None:
            found, total = await organizations.list_organizations(
                connection, principal.user_id, limit=limit, offset=offset
            )
            return [public(one, role) for one, role in found], total
        only = await organizations.get_organization(connection, principal.organization_id)
    return [public(only, principal.role)][offset : offset + limit], 1


async def create(
    context: Context, connection: Connection, principal: Principal, client: Client, name: str
) -> dict[str, Any]:
    """A new organization of the user with its first webhook secret. Raises LimitReached."""
    if await organizations.count_owned(connection, principal.user) >= MAX_OWNED:
        raise LimitReached(f"a user owns at most {MAX_OWNED} organizations; delete or transfer one first.")
    made = await organizations.create_organization(connection, id=uuid4(), owner_id=principal.user, name=name)
    _, secret = await webhook_secrets.create_secret(
        connection, context.vault, organization_id=made.id, created_by=principal.user
    )
    await audit.record(
        connection,
        actor_of(principal, client),
        "organization.created",
        organization_id=made.id,
        target=f"organization:{made.id}",
        details={"name": name},
    )
    return {**public(made, Role.OWNER), "webhook_secret": secret}


async def rename(connection: Connection, principal: Principal, client: Client, name: str | None) -> dict[str, Any]:
    """Give the organization another name (None: nothing was sent). Raises NotFound or Forbidden."""
    found, role = await lock(connection, principal, Role.ADMIN)
    if name is None or name == found.name:
        return public(found, role)
    await organizations.rename(connection, found.id, name)
    await note(connection, principal, client, "organization.renamed", _target(found), {"from": found.name, "to": name})
    return public(await organizations.get_organization(connection, found.id), role)


async def set_paused(context: Context, principal: Principal, client: Client, paused: bool) -> dict[str, Any]:
    """Pause or resume; again changes nothing. What waits is held or released after the commit (``pausing.py``)."""
    async with context.pool.acquire() as connection:
        async with connection.transaction():
            found, role = await lock(connection, principal, Role.ADMIN)
            if (found.paused_at is not None) != paused:
                await organizations.set_paused(connection, found.id, paused)
                action = "organization.paused" if paused else "organization.resumed"
                await note(connection, principal, client, action, _target(found))
                found = await organizations.get_organization(connection, found.id)
        settle = pausing.hold_waiting if paused else pausing.release_paused
        for _ in range(BATCHES_AT_ONCE):
            if await settle(connection, found.id) < BATCH_ROWS:
                break
    return public(found, role)


async def delete(context: Context, principal: Principal, client: Client) -> None:
    """Delete the organization. Raises NotFound, Forbidden, and Conflict for the personal one.

    ① it is closed, with the first batch of its triggers: nobody reaches it from here on; ② the rest of the triggers
    goes; ③ maintenance takes deliveries and the row itself away. A crash after ① leaves ② to maintenance too.
    """
    async with context.pool.acquire() as connection:
        async with connection.transaction():
            found, _ = await lock(connection, principal, Role.OWNER)
            if found.personal:
                raise Conflict(KEPT)
            await note(connection, principal, client, "organization.deleted", _target(found), {"name": found.name})
            await closing.close(connection, found.id)
        removed = closing.BATCH_TRIGGERS
        while removed == closing.BATCH_TRIGGERS:
            removed = await closing.remove_triggers(connection, found.id)


async def usage(context: Context, principal: Principal) -> dict[str, Any]:
    """What the organization uses of what its plan allows."""
    id_, month = principal.organization_id, _month(datetime.now(UTC))
    async with context.searches, context.pool.acquire() as connection:
        found = await organizations.get_organization(connection, id_)
        used = await limits.count_all(connection, id_)
        used["queued_deliveries"] = await limits.count_queued(connection, id_)
        made, fired = await limits.count_month(connection, id_, month)
    bounds = context.settings.limits.by_plan()[Plan(found.plan)]
    return {
        "plan": found.plan,
        **{name: {"used": count, "limit": getattr(bounds, name)} for name, count in used.items()},
        "month": month,
        "deliveries_this_month": made,
        "firings_this_month": fired,
    }


def _target(found: Organization) -> str:
    return f"organization:{found.id}"


def _month(now: datetime) -> datetime:
    return datetime(now.year, now.month, 1, tzinfo=UTC)


def user_target(user_id: UUID) -> str:
    """A user, as the audit log names one."""
    return f"user:{user_id}"
