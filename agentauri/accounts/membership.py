"""Who may do what to whom in an organization: admins manage members below owner, owners everybody.

Nobody gives a role above the own one. Pure rules; that they are asked under the organization's lock, with the role that
the caller has there and then, is the caller's business.
"""

from agentauri.accounts.roles import Role
from agentauri.errors import Conflict, Forbidden

PERSONAL = "this is a personal organization, which has no other members; create an organization for a team."
LAST_OWNER = "this is the organization's last owner; make another member an owner first."


def check_grant(actor: Role, granted: Role) -> None:
    """Whether ``actor`` may make somebody ``granted``. Raises Forbidden."""
    if not actor.reaches(Role.ADMIN):
        raise Forbidden(f"this needs the role admin in the organization; yours is {actor}.")
    if not actor.reaches(granted):
        raise Forbidden(f"only an owner makes owners; your role is {actor}.")


def check_change(actor: Role, target: Role, granted: Role | None) -> None:
    """Whether ``actor`` may make a ``target`` a ``granted``, or (None) remove that member. Raises Forbidden."""
    check_grant(actor, Role.VIEWER if granted is None else granted)
    if target is Role.OWNER and actor is not Role.OWNER:
        raise Forbidden(f"only an owner changes or removes owners; your role is {actor}.")


def check_owner_stays(target: Role, granted: Role | None, owners: int) -> None:
    """That an organization with ``owners`` owners keeps one when ``target`` becomes ``granted``. Raises Conflict."""
    if target is Role.OWNER and granted is not Role.OWNER and owners <= 1:
        raise Conflict(LAST_OWNER)


def check_not_personal(personal: bool) -> None:
    """That the organization may have more members than its person. Raises Conflict."""
    if personal:
        raise Conflict(PERSONAL)


def lost_grants(role: Role | None) -> list[Role]:
    """The roles that somebody who is ``role`` now (None: no member) may not invite others as."""
    return [one for one in Role if role is None or not role.reaches(Role.ADMIN) or not role.reaches(one)]


def masked_email(email: str | None) -> str | None:
    """An address as members below admin see it: its first letter and its domain."""
    if email is None:
        return None
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}***@{domain}"
