"""Registering, logging in, and who one is."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.limits import Policy
from agentauri.accounts.roles import Principal
from agentauri.serve import API
from agentauri.serve.answers import nothing, one, secret
from agentauri.serve.auth import service
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
from agentauri.serve.openapi import errors
from agentauri.serve.principal import require_user
from agentauri.serve.reading import Route
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)


@router.post(
    "/register",
    operation_id="register",
    status_code=201,
    response_model=RegisteredAnswer,
    responses=errors(409, 429),
)
async def register(
    context: In, guard: Annotated[Guard, guarded(Policy.REGISTRATION)], once: Once, body: RegisterBody
) -> Response:
    """Make an account with its personal organization; answers as a login does, and with the first webhook secret."""
    await guard.admit()
    prepared = await service.prepare(context, body)

    async def work(connection: Connection) -> Response:
        return secret(one(await service.register(context, connection, prepared, guard.client), 201))

    return await once.perform(None, work)


@router.post("/login", operation_id="login", response_model=TokensAnswer, responses=errors(401, 429))
async def login(context: In, guard: Annotated[Guard, guarded(Policy.LOGIN)], body: LoginBody) -> Response:
    """Log in with e-mail or user name; an unknown account and a wrong password look the same."""
    await guard.admit(body.email or body.username)
    return secret(one(await service.login(context, body, guard.client)))


@router.post("/refresh", operation_id="refresh", response_model=TokensAnswer, responses=errors(401, 429))
async def refresh(context: In, guard: Annotated[Guard, guarded(Policy.REFRESH)], body: RefreshBody) -> Response:
    """Swap a refresh token for new tokens. It works once; used again later than 10 s after, it ends the session."""
    await guard.admit(body.refresh_token)
    return secret(one(await service.refresh(context, body.refresh_token)))


@router.post("/logout", operation_id="logout", status_code=204, response_class=Response)
async def logout(context: In, principal: Annotated[Principal, require_user()]) -> Response:
    """End the session whose access token this is; its refresh token ends with it."""
    await service.logout(context, principal)
    return nothing()


@router.get("/me", operation_id="get_me", response_model=UserAnswer)
async def get_me(context: In, principal: Annotated[Principal, require_user()]) -> Response:
    """The user whose token this is, with the organizations."""
    return one(await service.me(context, principal.user))
