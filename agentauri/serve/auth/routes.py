"""Registering, logging in, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from agentauri.accounts.limits import Policy
from agentauri.accounts.roles import Principal
from agentauri.models.ids import UserId
from agentauri.serve import API
from agentauri.serve.answers import nothing, one, secret
from agentauri.serve.auth import service
from agentauri.serve.auth.addresses import welcome
from agentauri.serve.auth.cookies import (
    PARAMETERS,
    SETS,
    find_refresh_cookie,
    read_refresh_cookie,
    with_cookies,
    without_cookies,
)
from agentauri.serve.auth.schemas import (
    LoginBody,
    RefreshBody,
    RegisterBody,
    RegisteredAnswer,
    TokensAnswer,
    UserAnswer,
)
from agentauri.serve.context import In
from agentauri.serve.guard import Guard, guarded
from agentauri.serve.once import Once
from agentauri.serve.openapi import CSRF, errors
from agentauri.serve.principal import Anonymous, require_user
from agentauri.serve.reading import Route
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)


@router.post(
    "/register",
    operation_id="register",
    status_code=201,
    response_model=RegisteredAnswer,
    responses={201: SETS, **errors(409, 429)},
)
async def register(
    context: In, guard: Annotated[Guard, guarded(Policy.REGISTRATION)], once: Once, body: RegisterBody
) -> Response:
    """Make an account with its personal organization; answers as a login does, and with the first webhook secret.
    A mail asks to verify the address."""
    await guard.admit()
    prepared = await service.prepare(context, body)
    made: list[UserId] = []

    async def work(connection: Connection) -> Response:
        data = await service.register(context, connection, prepared, guard.client)
        made.append(data["user"]["id"])
        return secret(one(data, 201))

    answer = await once.perform(None, work)
    for user_id in made:  # none when the answer is a stored one
        welcome(context, user_id)
    return with_cookies(context, guard.request, answer) if body.cookie else answer


@router.post("/login", operation_id="login", response_model=TokensAnswer, responses={200: SETS, **errors(401, 429)})
async def login(context: In, guard: Annotated[Guard, guarded(Policy.LOGIN)], body: LoginBody) -> Response:
    """Log in with e-mail or user name; an unknown account and a wrong password look the same. The fifth failure in a
    row locks account and client for 15 minutes; further ones for longer."""
    await guard.admit(body.email or body.username)
    answer = secret(one(await service.login(context, body, guard.client)))
    return with_cookies(context, guard.request, answer) if body.cookie else answer


@router.post(
    "/refresh",
    operation_id="refresh",
    response_model=TokensAnswer,
    responses={200: SETS, **errors(401, 403, 429)},
    openapi_extra={"parameters": [*PARAMETERS, CSRF]},
)
async def refresh(
    context: In, guard: Annotated[Guard, guarded(Policy.REFRESH)], body: RefreshBody | None = None
) -> Response:
    """Swap a refresh token for new tokens. It works once; used again later than 10 s after, it ends the session.
    Without one in the body the cookie's is taken, which needs `X-CSRF-Token`, and both cookies are renewed."""
    body = body or RefreshBody()
    await guard.admit(body.refresh_token or find_refresh_cookie(guard.request))
    by_cookie = body.refresh_token is None
    token = body.refresh_token or await read_refresh_cookie(context, guard.request)
    answer = secret(one(await service.refresh(context, token, guard.client)))
    return with_cookies(context, guard.request, answer) if by_cookie or body.cookie else answer


@router.post("/logout", operation_id="logout", status_code=204, response_class=Response, responses={204: SETS})
async def logout(
    request: Request, context: In, principal: Annotated[Principal, require_user()], client: Anonymous
) -> Response:
    """End the session whose access token this is, and forget its cookies; its refresh token ends with it."""
    await service.logout(context, principal, client)
    return without_cookies(context, request, nothing())


@router.get("/me", operation_id="get_me", response_model=UserAnswer)
async def get_me(context: In, principal: Annotated[Principal, require_user()]) -> Response:
    """The user whose token this is, with the organizations."""
    return one(await service.me(context, principal.user))
