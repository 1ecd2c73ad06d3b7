"""Logins in a browser: the two cookies, and the token that shows that a request comes from the page itself.

The access token's cookie goes with every request to this host, the refresh token's with those under /auth that need it
(refresh, logout, csrf), and never with one that another site causes. No script can read either. A request that acts by
cookie brings ``X-CSRF-Token``; other sites can neither read it nor set the header.
"""

from http import HTTPStatus
from typing import Any, Literal, TypedDict
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
NO_COOKIE = "send a refresh token, in the body or as the cookie that a login with `cookie: true` sets."
NO_SESSION = "there is no session in your cookies; log in with `cookie: true` first."


def with_cookies(context: Context, answer: Response) -> Response:
    """The answer to a login, its tokens also as cookies; a stored answer too, for those are stored without."""
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        return answer
    data = orjson.loads(answer.body)["data"]
    seconds = int(REFRESH_LIFETIME.total_seconds())
    answer.set_cookie(COOKIE, data["token"], ACCESS_SECONDS, **_of_access(context))
    answer.set_cookie(REFRESH_COOKIE, data["refresh_token"], seconds, **_of_refresh(context))
    return answer


def without_cookies(context: Context, answer: Response) -> Response:
    """The answer, with which the browser forgets both."""
    answer.delete_cookie(COOKIE, **_of_access(context))
    answer.delete_cookie(REFRESH_COOKIE, **_of_refresh(context))
    return answer


class _Flags(TypedDict):
    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax", "strict"]


def _of_access(context: Context) -> _Flags:
    return {"path": "/", "secure": _is_secure(context), "httponly": True, "samesite": "lax"}


def _of_refresh(context: Context) -> _Flags:
    return {"path": REFRESH_PATH, "secure": _is_secure(context), "httponly": True, "samesite": "strict"}


def _is_secure(context: Context) -> bool:
    return context.settings.public_url.startswith("https://")


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
