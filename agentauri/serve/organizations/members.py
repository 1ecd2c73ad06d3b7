"""Members of an organization: list, add or invite, get, change the role, remove."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.channels.mail import Mail
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one, secret
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.organizations import inviting, membership
from agentauri.serve.organizations.member_schemas import (
    AddedAnswer,
    MemberAnswer,
    MemberBody,
    MemberChange,
    MemberList,
)
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.store import members
from agentauri.store.database import Connection

MEMBERS = "/{organization_id}/members"
MEMBER = MEMBERS + "/{user_id}"
router = APIRouter(prefix=f"{API}/organizations", tags=["organizations"], route_class=Route)
Reader = Annotated[Principal, require(Scope.ORGANIZATION_READ, of=Resource.ORGANIZATION)]
Admin = Annotated[Principal, require(Scope.ORGANIZATION_WRITE, of=Resource.ORGANIZATION)]


@router.get(MEMBERS, operation_id="list_members", response_model=MemberList)
async def list_members(
    context: In, principal: Reader, organization_id: Id, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The organization's members, the oldest first."""
    async with context.pool.acquire() as connection:
        found, total = await members.list_members(connection, principal.organization_id, limit=limit, offset=offset)
    return counted([membership.public(one_, principal) for one_ in found], total=total, limit=limit, offset=offset)


@router.post(MEMBERS, operation_id="add_member", status_code=201, response_model=AddedAnswer, responses=errors(409))
async def add_member(
    context: In, principal: Admin, client: Anonymous, once: Once, organization_id: Id, body: MemberBody
) -> Response:
    """Add a user by id, or invite an e-mail address; the token of an invitation is in this answer, and in a mail to the
    invited address where this deployment sends any.

    An invitation lasts 7 days, works once, and only for a user whose verified address is the invited one. Another
    one for the same address takes its place.
    """
    mails: list[Mail] = []

    async def work(connection: Connection) -> Response:
        if body.email is not None:
            made = await inviting.invite(context, connection, principal, client, body.email, body.role)
            mails.append(await inviting.mail(context, connection, principal, made))
            return secret(one(made, 201))
        assert body.user_id is not None
        return one(await membership.add(context, connection, principal, client, body.user_id, body.role), 201)

    answer = await once.perform(principal, work)
    for mail in mails:  # none when the answer is a stored one
        context.mailer.offer(mail)
    if body.user_id is not None:
        context.access.forget(f"user:{body.user_id}")
    return answer


@router.get(MEMBER, operation_id="get_member", response_model=MemberAnswer)
async def get_member(context: In, principal: Reader, organization_id: Id, user_id: Id) -> Response:
    """One member."""
    async with context.pool.acquire() as connection:
        found = await members.get_member(connection, principal.organization_id, user_id)
    return one(membership.public(found, principal))


@router.patch(MEMBER, operation_id="change_member", response_model=MemberAnswer, responses=errors(409))
async def change_member(
    context: In, principal: Admin, client: Anonymous, organization_id: Id, user_id: Id, body: MemberChange
) -> Response:
    """Give a member another role, at most the caller's own. Only owners make and unmake owners; one always stays."""
    async with context.pool.acquire() as connection, connection.transaction():
        changed = await membership.change(connection, principal, client, user_id, body.role)
    context.access.forget(f"user:{user_id}")
    return one(changed)


@router.delete(MEMBER, operation_id="remove_member", status_code=204, response_class=Response, responses=errors(409))
async def remove_member(context: In, principal: Admin, client: Anonymous, organization_id: Id, user_id: Id) -> Response:
    """Remove a member, who is refused everywhere within a second. Only owners remove owners; one always stays."""
    async with context.pool.acquire() as connection, connection.transaction():
        await membership.remove(connection, principal, client, user_id)
    context.access.forget(f"user:{user_id}")
    return nothing()
