"""Logins in a browser: the two cookies, and the token that shows that a request comes from the page itself.

The access token's cookie goes with every request to this host, the refresh token's with those under /auth that need it
(refresh, logout, csrf), and never with one that another site causes. No script can read either. A request that acts by
cookie brings ``X-CSRF-Token``; other sites can neither read it nor set the header.

A front end on another site (its origin is in ``http.cors_origins``, or it could not log in) gets cookies that browsers
keep for its pages alone, apart from any others (Partitioned). To a browser http://localhost:3000 and http://127.0.0.1
are two sites.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

import orjson
from fastapi import Request
from fastapi.responses import Response

from agentauri.accounts.tokens import ACCESS_SECONDS, REFRESH_LIFETIME, refresh_hash
from agentauri.errors import Unauthenticated
from agentauri.serve import API
from agentauri.serve.access import Person
from agentauri.serve.context import Context
from agentauri.serve.csrf import HEADER
from agentauri.serve.principal import COOKIE
from agentauri.store import sessions

REFRESH_COOKIE = "refresh-token"
REFRESH_PATH = f"{API}/auth"
PARAMETERS = [
    {"name": COOKIE, "in": "cookie", "required": False, "schema": {"type": "string"}},
    {"name": REFRESH_COOKIE, "in": "cookie", "required": False, "schema": {"type": "string"}},
]
"""For the document, where a cookie is more than credentials."""
SETS: dict[str, Any] = {"headers": {"Set-Cookie": {"$ref": "#/components/headers/Set-Cookie"}}}


@dataclass(frozen=True, slots=True)
class _Cookie:
    name: str
    path: str
    same_site: Literal["lax", "strict"]


ACCESS = _Cookie(COOKIE, "/", "lax")
REFRESH = _Cookie(REFRESH_COOKIE, REFRESH_PATH, "strict")
NO_COOKIE = "send a refresh token, in the body or as the cookie that a login with `cookie: true` sets."
NO_SESSION = "there is no session in your cookies; log in with `cookie: true` first."


def with_cookies(context: Context, request: Request, answer: Response) -> Response:
    """The answer to a login, its tokens also as cookies; a stored answer too, for those are stored without."""
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        return answer
    data = orjson.loads(answer.body)["data"]
    _set(context, request, answer, ACCESS, data["token"], ACCESS_SECONDS)
    _set(context, request, answer, REFRESH, data["refresh_token"], int(REFRESH_LIFETIME.total_seconds()))
    return answer


def without_cookies(context: Context, request: Request, answer: Response) -> Response:
    """The answer, with which the browser forgets both."""
    for cookie in (ACCESS, REFRESH):
        _set(context, request, answer, cookie, "", 0)
    return answer


def _set(context: Context, request: Request, answer: Response, cookie: _Cookie, value: str, seconds: int) -> None:
    """Written by hand: ``http.cookies`` does not know Partitioned yet, and tokens need no quotes."""
    flags = ["HttpOnly", f"Max-Age={seconds}", f"Path={cookie.path}"]
    if request.headers.get("sec-fetch-site") == "cross-site":
        flags += ["SameSite=none", "Secure", "Partitioned"]
    else:
        flags += [f"SameSite={cookie.same_site}", *(["Secure"] if is_secure(context) else [])]
    answer.headers.append("Set-Cookie", "; ".join([f"{cookie.name}={value}", *flags]))


def is_secure(context: Context) -> bool:
    """Whether cookies are for TLS alone: in production always, elsewhere where the API has it."""
    settings = context.settings
    return settings.environment == "production" or settings.public_url.startswith("https://")


def find_refresh_cookie(request: Request) -> str | None:
    """The refresh token in the cookies, believed by nobody yet."""
    return request.cookies.get(REFRESH_COOKIE) or None


async def read_refresh_cookie(context: Context, request: Request) -> str:
    """The refresh token of a request by cookie. Raises Unauthenticated, and Forbidden without its CSRF token."""
    token = find_refresh_cookie(request)
    if token is None:
        raise Unauthenticated(NO_COOKIE)
    session_id = await _session_of(context, token)
    if session_id is not None:
        context.csrf.check(session_id, request.headers.get(HEADER))
    return token


async def get_session(context: Context, request: Request) -> UUID:
    """The session that a browser's cookies stand for. Raises Unauthenticated."""
    token, refresh_token = request.cookies.get(COOKIE), find_refresh_cookie(request)
    if token:
        try:
            identity = await context.access.of_token(token)
        except Unauthenticated:
            identity = None  # it lives minutes; the other cookie outlives it
        if isinstance(identity, Person):
            return identity.session_id
    session_id = None if refresh_token is None else await _session_of(context, refresh_token)
    if session_id is None:
        raise Unauthenticated(NO_SESSION)
    return session_id


async def _session_of(context: Context, refresh_token: str) -> UUID | None:
    async with context.pool.acquire() as connection:
        return await sessions.find_session_of(connection, refresh_hash(refresh_token))
