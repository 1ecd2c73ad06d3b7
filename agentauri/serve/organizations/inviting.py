"""Invitations written, revoked and accepted: the steps within one transaction, under the organization's lock.

An invitation is for one address: who accepts has to be signed in as a user who has shown that it is theirs. It takes a
member's place from the beginning, so accepting one is never refused for the plan's limit.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from agentauri.accounts.emails import parse_email
from agentauri.accounts.invitation_tokens import LIFETIME, invitation_token_hash, make_invitation_token
from agentauri.accounts.membership import check_grant, check_not_personal
from agentauri.accounts.roles import Principal, Role
from agentauri.channels.mail import Mail
from agentauri.errors import Conflict, Forbidden, NotFound
from agentauri.models.problems import Problems
from agentauri.serve.caller import Client, actor_of, note
from agentauri.serve.context import Context
from agentauri.serve.organizations import service
from agentauri.serve.organizations.mail import invite_mail
from agentauri.serve.organizations.service import lock
from agentauri.serve.plan_limits import check_limits
from agentauri.store import audit, invitations, members, organizations, users
from agentauri.store.database import Connection
from agentauri.store.invitations import Invitation
from agentauri.store.limits import Countable
from agentauri.store.users import User

MEMBER_ALREADY = "a member of the organization has this e-mail address already."
NOT_VALID = "this invitation is not valid: it was used, revoked or replaced, has expired, or never was."
OTHER_ADDRESS = (
    "this invitation is for another e-mail address than the verified one of your account; "
    "verify yours, or sign in with the invited one."
)


async def invite(
    context: Context, connection: Connection, principal: Principal, client: Client, raw_email: str, role: Role
) -> dict[str, Any]:
    """Write an invitation, its token in the answer. Raises InvalidRequest, Forbidden, Conflict or LimitReached."""
    problems = Problems()
    email = problems.check("/email", parse_email, raw_email)
    problems.refuse("nobody can be invited")
    found, actor = await lock(connection, principal, Role.ADMIN)
    check_not_personal(found.personal)
    check_grant(actor, role)
    if await members.has_member_with_email(connection, found.id, str(email)):
        raise Conflict(MEMBER_ALREADY)
    token, sha256 = make_invitation_token()
    now = datetime.now(UTC)
    new = Invitation(uuid4(), found.id, str(email), role, principal.user_id, now, now + LIFETIME)
    await invitations.put_invitation(connection, new, sha256)
    await check_limits(context, connection, found.id, {Countable.MEMBERS: 1})
    await note(connection, principal, client, "invitation.created", _target(new.id), {"email": email, "role": role})
    return {**asdict(new), "token": token}


async def mail(context: Context, connection: Connection, principal: Principal, made: dict[str, Any]) -> Mail:
    """What the invited person is told."""
    found = await organizations.get_organization(connection, principal.organization_id)
    subject, text = invite_mail(
        organization=found.name, role=made["role"], token=made["token"], public_url=context.settings.public_url
    )
    return Mail(made["email"], subject, text)


async def revoke(connection: Connection, principal: Principal, client: Client, id_: UUID) -> None:
    """Take an open invitation back. Raises NotFound, and Forbidden when it makes owners and no owner asks."""
    found, actor = await lock(connection, principal, Role.ADMIN)
    open_ = await invitations.get_invitation(connection, found.id, id_)
    check_grant(actor, Role(open_.role))
    await invitations.delete_invitation(connection, found.id, id_)
    await note(connection, principal, client, "invitation.revoked", _target(id_), {"email": open_.email})


async def accept(connection: Connection, principal: Principal, client: Client, token: str) -> dict[str, Any]:
    """Make the user a member of the inviting organization. Raises NotFound, Forbidden or Conflict."""
    sha256 = invitation_token_hash(token)
    seen = await invitations.find_by_token(connection, sha256)
    if seen is None:
        raise NotFound(NOT_VALID)
    organization = await organizations.get_for_change(connection, seen.organization_id)
    found = await invitations.find_by_token(connection, sha256)
    if found is None:
        raise NotFound(NOT_VALID)
    if not _is_of(found, await users.get_user(connection, principal.user)):
        raise Forbidden(OTHER_ADDRESS)
    await members.add_member(connection, organization.id, principal.user, found.role)
    await invitations.delete_invitation(connection, organization.id, found.id)
    await audit.record(
        connection,
        actor_of(principal, client),
        "invitation.accepted",
        organization_id=organization.id,
        target=_target(found.id),
        details={"role": found.role, "invited_by": None if found.created_by is None else str(found.created_by)},
    )
    return service.public(organization, found.role)


def _is_of(found: Invitation, user: User) -> bool:
    if user.email is None or user.email_verified_at is None:
        return False
    return user.email.casefold() == found.email.casefold()


def _target(id_: UUID) -> str:
    return f"invitation:{id_}"
