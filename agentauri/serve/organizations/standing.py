"""What becomes of an organization: leave, hand over, pause, resume; what it uses, and what was done in it."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Role, Scope
from agentauri.serve import API
from agentauri.serve.answers import continued, nothing, one
from agentauri.serve.context import In
from agentauri.serve.openapi import errors
from agentauri.serve.organizations import membership, service
from agentauri.serve.organizations.schemas import AuditList, OrganizationAnswer, TransferBody, UsageAnswer
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Cursor, Id, Limit
from agentauri.store import audit, organizations

ONE = "/{organization_id}"
router = APIRouter(prefix=f"{API}/organizations", tags=["organizations"], route_class=Route)
Reader = Annotated[Principal, require(Scope.ORGANIZATION_READ, of=Resource.ORGANIZATION)]
Inspector = Annotated[Principal, require(Scope.ORGANIZATION_READ, Role.ADMIN, of=Resource.ORGANIZATION)]
Admin = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, of=Resource.ORGANIZATION)]
Owner = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, Role.OWNER, of=Resource.ORGANIZATION)]


@router.post(
    ONE + "/leave",
    operation_id="leave_organization",
    status_code=204,
    response_class=Response,
    responses=errors(409),
)
async def leave_organization(context: In, principal: Reader, client: Anonymous, organization_id: Id) -> Response:
    """Leave the organization. Its last owner stays, and nobody leaves the personal one."""
    user_id = principal.user
    async with context.pool.acquire() as connection, connection.transaction():
        await membership.leave(connection, principal, client)
    context.access.forget(f"user:{user_id}")
    return nothing()


@router.post(
    ONE + "/transfer", operation_id="transfer_organization", response_model=OrganizationAnswer, responses=errors(409)
)
async def transfer_organization(
    context: In, principal: Owner, client: Anonymous, organization_id: Id, body: TransferBody
) -> Response:
    """Make a member the owner in the caller's place, who stays as an admin."""
    async with context.pool.acquire() as connection, connection.transaction():
        await membership.transfer(connection, principal, client, body.user_id)
        found = await organizations.get_organization(connection, principal.organization_id)
    for user_id in (principal.user, body.user_id):
        context.access.forget(f"user:{user_id}")
    return one(service.public(found, Role.ADMIN))


@router.post(ONE + "/pause", operation_id="pause_organization", response_model=OrganizationAnswer)
async def pause_organization(context: In, principal: Admin, client: Anonymous, organization_id: Id) -> Response:
    """Send nothing any more: triggers go on matching, and their deliveries are held until the organization is resumed.

    Attempts that are under way end as they do; their retries are held.
    """
    paused = await service.set_paused(context, principal, client, True)
    context.access.forget(f"organization:{principal.organization_id}")
    return one(paused)


@router.post(ONE + "/resume", operation_id="resume_organization", response_model=OrganizationAnswer)
async def resume_organization(context: In, principal: Admin, client: Anonymous, organization_id: Id) -> Response:
    """Send again, what was held first, at the rate limits of its actions."""
    resumed = await service.set_paused(context, principal, client, False)
    context.access.forget(f"organization:{principal.organization_id}")
    return one(resumed)


@router.get(ONE + "/usage", operation_id="get_organization_usage", response_model=UsageAnswer)
async def get_organization_usage(context: In, principal: Reader, organization_id: Id) -> Response:
    """What the organization uses of what its plan allows, and what it did this month."""
    return one(await service.usage(context, principal))


@router.get(ONE + "/audit", operation_id="list_organization_audit", response_model=AuditList)
async def list_organization_audit(
    context: In, principal: Inspector, organization_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """What was done in the organization, by whom and from where, the newest first."""
    async with context.pool.acquire() as connection:
        found, after = await audit.list_of_organization(
            connection, principal.organization_id, cursor=cursor, limit=limit
        )
    return continued([asdict(entry) for entry in found], limit=limit, next_cursor=after)
