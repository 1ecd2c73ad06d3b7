"""Organizations: list, create, get, rename, delete; and, from the modules beside this one, all that is below one."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Role, Scope
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one, secret
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.organizations import invitations, members, service, standing
from agentauri.serve.organizations.schemas import (
    NewOrganizationAnswer,
    OrganizationAnswer,
    OrganizationBody,
    OrganizationChange,
    OrganizationList,
)
from agentauri.serve.principal import Anonymous, Resource, require, require_user
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.store import organizations
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/organizations", tags=["organizations"], route_class=Route)
Lister = Annotated[Principal, require(Scope.ORGANIZATION_READ)]
Person = Annotated[Principal, require_user()]
Reader = Annotated[Principal, require(Scope.ORGANIZATION_READ, of=Resource.ORGANIZATION)]
Admin = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, of=Resource.ORGANIZATION)]
Owner = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, Role.OWNER, of=Resource.ORGANIZATION)]


@router.get("", operation_id="list_organizations", response_model=OrganizationList)
async def list_organizations(
    context: In, principal: Lister, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The caller's organizations, the personal one first; of a key or client the one that it belongs to."""
    found, total = await service.list_mine(context, principal, limit=limit, offset=offset)
    return counted(found, total=total, limit=limit, offset=offset)


@router.post("", operation_id="create_organization", status_code=201, response_model=NewOrganizationAnswer)
async def create_organization(
    context: In, principal: Person, client: Anonymous, once: Once, body: OrganizationBody
) -> Response:
    """Create an organization, which the caller owns; answers with its first webhook secret, shown this once."""

    async def work(connection: Connection) -> Response:
        return secret(one(await service.create(context, connection, principal, client, body.name), 201))

    answer = await once.perform(principal, work)
    context.access.forget(f"user:{principal.user}")
    return answer


@router.get("/{organization_id}", operation_id="get_organization", response_model=OrganizationAnswer)
async def get_organization(context: In, principal: Reader, organization_id: Id) -> Response:
    """One organization."""
    async with context.pool.acquire() as connection:
        found = await organizations.get_organization(connection, principal.organization_id)
    return one(service.public(found, principal.role))


@router.patch("/{organization_id}", operation_id="change_organization", response_model=OrganizationAnswer)
async def change_organization(
    context: In, principal: Admin, client: Anonymous, organization_id: Id, body: OrganizationChange
) -> Response:
    """Change the name."""
    async with context.pool.acquire() as connection, connection.transaction():
        return one(await service.rename(connection, principal, client, body.name or None))


@router.delete(
    "/{organization_id}",
    operation_id="delete_organization",
    status_code=204,
    response_class=Response,
    responses=errors(409),
)
async def delete_organization(context: In, principal: Owner, client: Anonymous, organization_id: Id) -> Response:
    """Delete the organization with its triggers, deliveries, keys and members. The personal one stays."""
    await service.delete(context, principal, client)
    context.access.forget(f"organization:{principal.organization_id}")
    return nothing()


for below in (invitations, members, standing):
    router.routes.extend(below.router.routes)
