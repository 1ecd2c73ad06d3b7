"""Invitations into an organization: list the open ones, revoke, accept. Writing one is adding a member by e-mail."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Role, Scope
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.organizations import inviting
from agentauri.serve.organizations.member_schemas import AcceptBody, InvitationList
from agentauri.serve.organizations.schemas import OrganizationAnswer
from agentauri.serve.principal import Anonymous, Resource, require, require_user
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.store import invitations
from agentauri.store.database import Connection

INVITATIONS = "/{organization_id}/invitations"
router = APIRouter(prefix=f"{API}/organizations", tags=["organizations"], route_class=Route)
Person = Annotated[Principal, require_user()]
Inspector = Annotated[Principal, require(Scope.ORGANIZATION_READ, Role.ADMIN, of=Resource.ORGANIZATION)]
Admin = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, of=Resource.ORGANIZATION)]


@router.post(
    "/invitations/accept",
    operation_id="accept_invitation",
    response_model=OrganizationAnswer,
    responses=errors(404, 409),
)
async def accept_invitation(
    context: In, principal: Person, client: Anonymous, once: Once, body: AcceptBody
) -> Response:
    """Become a member of the organization that invites the caller's verified e-mail address."""

    async def work(connection: Connection) -> Response:
        return one(await inviting.accept(connection, principal, client, body.token))

    answer = await once.perform(principal, work)
    context.access.forget(f"user:{principal.user}")
    return answer


@router.get(INVITATIONS, operation_id="list_invitations", response_model=InvitationList)
async def list_invitations(
    context: In, principal: Inspector, organization_id: Id, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The open invitations, the newest first, without their tokens."""
    async with context.pool.acquire() as connection:
        found, total = await invitations.list_invitations(
            connection, principal.organization_id, limit=limit, offset=offset
        )
    return counted([asdict(each) for each in found], total=total, limit=limit, offset=offset)


@router.delete(
    INVITATIONS + "/{invitation_id}", operation_id="revoke_invitation", status_code=204, response_class=Response
)
async def revoke_invitation(
    context: In, principal: Admin, client: Anonymous, organization_id: Id, invitation_id: Id
) -> Response:
    """Take an open invitation back."""
    async with context.pool.acquire() as connection, connection.transaction():
        await inviting.revoke(connection, principal, client, invitation_id)
    return nothing()
