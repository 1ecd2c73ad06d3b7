"""Who is calling, found in this one place, and what the route asks of them, enforced by one dependency.

Credentials in the order of preference: an API key (``X-API-Key``, or as bearer), an access token (as bearer, or in the
cookie ``auth-token``). A user acts in the organization that the path or ``X-Organization-ID`` names; for a resource by
its id, in the organization that owns it; else in the personal one. Keys and clients act in their own.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Security as SecurityParameter
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from agentauri.accounts.api_keys import MARK, is_allowed
from agentauri.accounts.limits import Policy
from agentauri.accounts.roles import ONLY_USERS, SCOPES, Caller, Principal, Role, Scope
from agentauri.errors import Forbidden, InvalidRequest, NotFound, RequestError, Unauthenticated
from agentauri.serve.access import Identity, Machine, Membership, Person
from agentauri.serve.caller import Client, client_of
from agentauri.serve.context import Context
from agentauri.serve.csrf import HEADER as CSRF_HEADER
from agentauri.serve.csrf import SAFE_METHODS
from agentauri.store import organizations
from agentauri.store.access import find_owner

ORGANIZATION_HEADER = "x-organization-id"
KEY_HEADER = "x-api-key"
COOKIE = "auth-token"
NO_CREDENTIALS = (
    "send an API key as `X-API-Key: aur_…`, or an access token as `Authorization: Bearer …`; "
    "POST /api/v1/auth/login gives one."
)
NO_LOGIN = "send an access token as `Authorization: Bearer …`; POST /api/v1/auth/login gives one."
BEARER = "An access token from `POST /api/v1/auth/login`, which lives 15 minutes; or an API key."
SESSION = "The access token of a signed-in user, from `POST /api/v1/auth/login`."
WRONG_ORGANIZATION = "X-Organization-ID must be the id of one of your organizations."
WRONG_PLACE = "this API key may not be used from this address; its ip_allow does not hold it."


class Resource(StrEnum):
    """What a route's path names; the value is the path parameter."""

    ORGANIZATION = "organization_id"
    TRIGGER = "trigger_id"
    TRIGGER_TEST = "test_id"
    DELIVERY = "delivery_id"
    WEBHOOK_SECRET = "secret_id"
    API_KEY = "key_id"
    OAUTH_CLIENT = "client_id"


TABLES = {
    Resource.TRIGGER: "triggers",
    Resource.TRIGGER_TEST: "trigger_tests",
    Resource.DELIVERY: "deliveries",
    Resource.WEBHOOK_SECRET: "webhook_secrets",
    Resource.API_KEY: "api_keys",
    Resource.OAUTH_CLIENT: "oauth_clients",
}


class Require(SecurityBase):
    """A route's dependency: a principal that has ``scope`` (None: any) and at least the role ``least``.

    ``of``: what the path names, whose organization is acted in. ``people``: keys and clients are refused.
    """

    def __init__(self, scope: Scope | None, least: Role | None, of: Resource | None, *, people: bool = False) -> None:
        self.scope, self.least, self.of, self.people = scope, least, of, people
        self.model = HTTPBearer(bearerFormat="JWT", description=SESSION if people else BEARER)
        self.scheme_name = "session" if people else "bearer"
        self._wanted = NO_LOGIN if people else NO_CREDENTIALS

    async def __call__(self, request: Request) -> Principal:
        """The caller, counted. Raises Unauthenticated, Forbidden, NotFound or RateLimited."""
        context: Context = request.app.state.context
        ip, limits = context.peers.address(request.headers), context.limiter.limits
        try:
            identity = await _identify(context, request, ip, self._wanted)
        except (Unauthenticated, Forbidden):
            await context.limiter.admit(request.scope, limits.guarded(Policy.CREDENTIALS, ip))
            raise
        try:
            membership = await self._membership(context, request, identity)
        except RequestError:
            await context.limiter.admit(request.scope, limits.caller(_principal(identity, _home(identity))))
            raise
        principal = _principal(identity, membership)
        await context.limiter.admit(request.scope, limits.caller(principal))
        if isinstance(identity, Machine) and identity.kind is Caller.KEY:
            context.key_uses.note(identity.id, ip)
        self._check(identity, principal)
        return principal

    async def find(self, request: Request) -> Principal:
        """The caller as it now is, not counted: streams ask again and again. Raises as the call does."""
        context: Context = request.app.state.context
        identity = await _identify(context, request, context.peers.address(request.headers), self._wanted)
        principal = _principal(identity, await self._membership(context, request, identity))
        self._check(identity, principal)
        return principal

    def _check(self, identity: Identity, principal: Principal) -> None:
        if self.people and not isinstance(identity, Person):
            raise Forbidden(ONLY_USERS)
        if self.scope is not None:
            principal.require(self.scope, self.least)

    async def _membership(self, context: Context, request: Request, identity: Identity) -> Membership:
        """In which organization this is. Raises NotFound or InvalidRequest."""
        named = _named(request, self.of)
        if isinstance(identity, Machine):
            if named not in (None, identity.membership.organization_id):
                raise NotFound(organizations.NOT_FOUND)
            return identity.membership
        if named is None:
            named = await self._owner(context, request, identity)
        found = identity.memberships.get(named)
        if found is None:
            raise NotFound(organizations.NOT_FOUND)
        return found

    async def _owner(self, context: Context, request: Request, person: Person) -> UUID:
        """The organization of the path's resource, if the user has several; else the personal one, where it is not."""
        if self.of is None or len(person.memberships) == 1:
            return person.personal
        id_ = _path_id(request, self.of)
        async with context.pool.acquire() as connection:
            owner = await find_owner(connection, TABLES[self.of], id_, list(person.memberships))
        return owner or person.personal


def _home(identity: Identity) -> Membership:
    """Where a caller is at home: what a request is counted against whose organization cannot be found."""
    return identity.membership if isinstance(identity, Machine) else identity.memberships[identity.personal]


def _principal(identity: Identity, membership: Membership) -> Principal:
    match identity:
        case Person():
            return Principal(
                kind=Caller.USER,
                id=identity.user_id,
                organization_id=membership.organization_id,
                role=membership.role,
                scopes=SCOPES[membership.role],
                plan=membership.plan,
                paused=membership.paused,
                user_id=identity.user_id,
                session_id=identity.session_id,
            )
        case Machine():
            return Principal(
                kind=identity.kind,
                id=identity.id,
                organization_id=membership.organization_id,
                role=membership.role,
                scopes=identity.scopes,
                plan=membership.plan,
                paused=membership.paused,
                requests_per_hour=identity.requests_per_hour,
            )


def _named(request: Request, of: Resource | None) -> UUID | None:
    """The organization that the path names, or the header does; None: neither."""
    if of is Resource.ORGANIZATION:
        return _path_id(request, of)
    text = request.headers.get(ORGANIZATION_HEADER)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest(WRONG_ORGANIZATION, [("/header/X-Organization-ID", WRONG_ORGANIZATION)]) from None


def _path_id(request: Request, of: Resource) -> UUID:
    """The id in the path. Raises InvalidRequest, as the route itself would."""
    text = request.path_params.get(of, "")
    try:
        return UUID(text)
    except ValueError:
        detail = "should be a valid UUID."
        raise InvalidRequest(f"/path/{of} {detail}", [(f"/path/{of}", detail)]) from None


async def _identify(context: Context, request: Request, ip: str, wanted: str) -> Identity:
    """Whose credentials a request carries. Raises Unauthenticated, which tells the ``wanted`` ones where there are
    none, and Forbidden for a cookie without its token."""
    key, token = request.headers.get(KEY_HEADER), _bearer(request)
    if key is None and token.startswith(MARK):
        key = token
    if key is not None:
        return await _of_key(context, key, ip)
    if token:
        return await context.access.of_token(token)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated(wanted)
    identity = await context.access.of_token(cookie)
    if isinstance(identity, Person) and request.method not in SAFE_METHODS:
        context.csrf.check(identity.session_id, request.headers.get(CSRF_HEADER))
    return identity


def _bearer(request: Request) -> str:
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    return token if scheme.lower() == "bearer" else ""


async def _of_key(context: Context, key: str, ip: str) -> Identity:
    identity = await context.access.of_key(key)
    if isinstance(identity, Machine) and not is_allowed(identity.networks, ip):
        raise Forbidden(WRONG_PLACE)
    return identity


def require(scope: Scope | None, least: Role | None = None, *, of: Resource | None = None) -> SecurityParameter:
    """What a route annotates its principal with; also how the OpenAPI document learns the scope."""
    parameter: SecurityParameter = Security(Require(scope, least, of), scopes=[] if scope is None else [scope.value])
    return parameter


def require_user() -> SecurityParameter:
    """What a route about a person's account annotates its principal with: a signed-in user."""
    parameter: SecurityParameter = Security(Require(None, None, None, people=True), scopes=[])
    return parameter


async def _anonymous(request: Request) -> Client:
    return client_of(request)


Anonymous = Annotated[Client, Depends(_anonymous)]
"""A route's parameter for its client. Open routes take a ``Guard`` instead: somebody has to count them."""
