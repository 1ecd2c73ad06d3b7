"""Who is calling, found in this one place, and what the route asks of them, enforced by one dependency.

A verified token is asked about in the database at most once per CACHE_SECONDS, organization and replica; so a
revoked session, a removed member or a disabled user is refused within that time, and the hot path has no query.
"""

import hashlib
import time
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.params import Security as SecurityParameter
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from agentauri.accounts.roles import SCOPES, Principal, Role, Scope
from agentauri.accounts.tokens import LEEWAY_SECONDS, MAX_TOKEN_LENGTH, NOT_VALID, Claims
from agentauri.errors import InvalidRequest, NotFound, Unauthenticated
from agentauri.models.ids import OrganizationId
from agentauri.serve.keys import Keys
from agentauri.store import sessions
from agentauri.store.database import Pool

CACHE_SECONDS = 0.8
CACHE_ENTRIES = 10_000
ORGANIZATION_HEADER = "x-organization-id"
NO_CREDENTIALS = "send an access token as `Authorization: Bearer …`; POST /api/v1/auth/login gives one."
BEARER = "An access token from `POST /api/v1/auth/login`; it lives 15 minutes."
NO_API_KEYS = "this API key is not valid; use an access token from POST /api/v1/auth/login."
WRONG_ORGANIZATION = "X-Organization-ID must be the id of one of your organizations."


class Access:
    """Turns credentials into principals, with a short memory."""

    def __init__(self, pool: Pool, keys: Keys) -> None:
        self._pool, self._keys = pool, keys
        self._known: dict[tuple[bytes, str], tuple[float, Principal]] = {}

    async def resolve(self, token: str, organization: str) -> Principal:
        """Whom a token acts as, in that organization ("" is the personal one). Raises Unauthenticated or NotFound."""
        slot = (hashlib.sha256(token.encode()).digest(), organization)
        known = self._known.get(slot)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        claims = await self._verify(token)
        principal = await self._look_up(claims, organization)
        left = claims.expires_at + LEEWAY_SECONDS - time.time()
        self._known.pop(slot, None)
        while len(self._known) >= CACHE_ENTRIES:
            del self._known[next(iter(self._known))]
        self._known[slot] = (time.monotonic() + min(CACHE_SECONDS, left), principal)
        return principal

    def forget(self) -> None:
        """Ask the database about every token again."""
        self._known.clear()

    async def _verify(self, token: str) -> Claims:
        if self._keys.tokens.is_of_unknown_key(token):
            await self._keys.refresh_for_unknown()
        return self._keys.tokens.verify(token, datetime.now(UTC))

    async def _look_up(self, claims: Claims, organization: str) -> Principal:
        wanted = _parse_organization(organization)
        async with self._pool.acquire() as connection:
            alive, access = await sessions.find_access(
                connection, session_id=claims.session_id, user_id=claims.user_id, organization_id=wanted
            )
        if not alive:
            raise Unauthenticated(NOT_VALID)
        if access is None:
            raise NotFound("you have no such organization; GET /api/v1/auth/me lists yours.")
        role = Role(access.role)
        return Principal(claims.user_id, claims.session_id, OrganizationId(access.organization_id), role, SCOPES[role])


def _parse_organization(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise InvalidRequest(WRONG_ORGANIZATION, [("/header/X-Organization-ID", WRONG_ORGANIZATION)]) from None


def read_token(request: Request) -> str:
    """The bearer token of a request. Raises Unauthenticated when there is none that could be valid."""
    if "x-api-key" in request.headers:
        raise Unauthenticated(NO_API_KEYS)
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(NO_CREDENTIALS)
    if token.startswith("aur_"):
        raise Unauthenticated(NO_API_KEYS)
    if len(token) > MAX_TOKEN_LENGTH:
        raise Unauthenticated(NOT_VALID)
    return token


class Require(SecurityBase):
    """A route's dependency: a principal that has ``scope`` (None: any) and at least the role ``least``."""

    def __init__(self, scope: Scope | None, least: Role | None) -> None:
        self.scope, self.least = scope, least
        self.model = HTTPBearer(bearerFormat="JWT", description=BEARER)
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Principal:
        """The caller. Raises Unauthenticated or Forbidden."""
        access: Access = request.app.state.context.access
        token = read_token(request)
        principal = await access.resolve(token, request.headers.get(ORGANIZATION_HEADER, ""))
        if self.scope is not None:
            principal.require(self.scope, self.least)
        return principal


def require(scope: Scope | None, least: Role | None = None) -> SecurityParameter:
    """What a route annotates its principal with; also how the OpenAPI document learns the scope."""
    parameter: SecurityParameter = Security(Require(scope, least), scopes=[] if scope is None else [scope.value])
    return parameter
