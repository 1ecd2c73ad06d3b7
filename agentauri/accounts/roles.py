"""Roles in an organization, the scopes that routes ask for, and who a request acts as.

A role reaches a scope when it stands at or above the scope's least role; one table says so. Scopes limit what a key
or a client may do on top of that. Guarantees nothing about who somebody is: ``serve/principal.py`` finds that out.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from agentauri.errors import Forbidden
from agentauri.models.ids import OrganizationId, UserId
from agentauri.models.plan import Plan


class Role(StrEnum):
    """What a member of an organization is; the highest first."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"

    def reaches(self, least: "Role") -> bool:
        """Whether this role stands at or above ``least``."""
        return RANK[self] >= RANK[least]


RANK = {Role.VIEWER: 0, Role.MEMBER: 1, Role.ADMIN: 2, Role.OWNER: 3}


class Scope(StrEnum):
    """What a route needs; a token or key carries a set of them."""

    TRIGGERS_READ = "triggers:read"
    TRIGGERS_WRITE = "triggers:write"
    EVENTS_READ = "events:read"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_WRITE = "deliveries:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    BILLING_READ = "billing:read"
    BILLING_WRITE = "billing:write"
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    QUERIES_RUN = "queries:run"
    ADMIN = "admin"


LEAST_ROLE = {
    Scope.TRIGGERS_READ: Role.VIEWER,
    Scope.TRIGGERS_WRITE: Role.MEMBER,
    Scope.EVENTS_READ: Role.VIEWER,
    Scope.DELIVERIES_READ: Role.VIEWER,
    Scope.DELIVERIES_WRITE: Role.MEMBER,
    Scope.AGENTS_READ: Role.VIEWER,
    Scope.AGENTS_WRITE: Role.MEMBER,
    Scope.BILLING_READ: Role.VIEWER,
    Scope.BILLING_WRITE: Role.ADMIN,
    Scope.ORGANIZATION_READ: Role.VIEWER,
    Scope.ORGANIZATION_WRITE: Role.ADMIN,
    Scope.KEYS_READ: Role.VIEWER,
    Scope.KEYS_WRITE: Role.ADMIN,
    Scope.QUERIES_RUN: Role.MEMBER,
    Scope.ADMIN: Role.OWNER,
}
"""The least role that reaches each scope; a route may ask for a higher one besides."""


def scopes_of(role: Role) -> frozenset[Scope]:
    """Every scope that a role reaches: what a signed-in user may do."""
    return frozenset(scope for scope, least in LEAST_ROLE.items() if role.reaches(least))


SCOPES = {role: scopes_of(role) for role in Role}


class Caller(StrEnum):
    """What kind of credentials a request came with."""

    USER = "user"
    KEY = "key"
    CLIENT = "client"


MACHINE_ROLE = Role.ADMIN
"""Keys and OAuth clients are made by admins and reach as far, within their scopes; what owners do, people do."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a request acts as, in one organization, with a role and scopes there. ``id`` is the user's, key's, client's.

    ``user_id`` and ``session_id`` are set for users alone; ``requests_per_hour`` is a key's own limit.
    """

    kind: Caller
    id: UUID
    organization_id: OrganizationId
    role: Role
    scopes: frozenset[Scope]
    plan: Plan
    paused: bool = False
    user_id: UserId | None = None
    session_id: UUID | None = None
    requests_per_hour: int | None = None

    def require(self, scope: Scope, least: Role | None = None) -> None:
        """Raise Forbidden, naming what is missing, unless scope and role both reach."""
        needed = least or LEAST_ROLE[scope]
        if not self.role.reaches(needed):
            raise Forbidden(f"this needs the role {needed} in the organization; yours is {self.role}.")
        if scope not in self.scopes:
            raise Forbidden(f"this needs the scope {scope}, which these credentials do not carry.")

    @property
    def user(self) -> UserId:
        """The signed-in user. Raises Forbidden for keys and clients."""
        if self.user_id is None:
            raise Forbidden(ONLY_USERS)
        return self.user_id

    @property
    def session(self) -> UUID:
        """The user's session. Raises Forbidden for keys and clients."""
        if self.session_id is None:
            raise Forbidden(ONLY_USERS)
        return self.session_id


ONLY_USERS = "this is about a person's account; log in as a user, API keys and OAuth clients have none."
