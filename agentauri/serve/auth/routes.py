"""Registering, logging in, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from agentauri.accounts.roles import Principal
from agentauri.serve import API
from agentauri.serve.answers import Json, nothing, one
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
from agentauri.serve.openapi import errors
from agentauri.serve.principal import require
from agentauri.serve.reading import Route

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)


def _secret(answer: Json) -> Json:
    """Keep an answer that carries tokens out of every cache."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post(
    "/register",
    operation_id="register",
    status_code=201,
    response_model=RegisteredAnswer,
    responses=errors(409),
)
async def register(request: Request, context: In, body: RegisterBody) -> Response:
    """Make an account with its personal organization; answers as a login does, and with the first webhook secret."""
    ip, agent = context.peers.address(request.headers), request.headers.get("user-agent", "")
    return _secret(one(await service.register(context, body, ip=ip, user_agent=agent), 201))


@router.post("/login", operation_id="login", response_model=TokensAnswer, responses=errors(401))
async def login(request: Request, context: In, body: LoginBody) -> Response:
    """Log in with e-mail or user name; an unknown account and a wrong password look the same."""
    ip, agent = context.peers.address(request.headers), request.headers.get("user-agent", "")
    return _secret(one(await service.login(context, body, ip=ip, user_agent=agent)))


@router.post("/refresh", operation_id="refresh", response_model=TokensAnswer, responses=errors(401))
async def refresh(context: In, body: RefreshBody) -> Response:
    """Swap a refresh token for new tokens. It works once; used again later than 10 s after, it ends the session."""
    return _secret(one(await service.refresh(context, body.refresh_token)))


@router.post("/logout", operation_id="logout", status_code=204, response_class=Response)
async def logout(context: In, principal: Annotated[Principal, require(None)]) -> Response:
    """End the session whose access token this is; its refresh token ends with it."""
    await service.logout(context, principal)
    return nothing()


@router.get("/me", operation_id="get_me", response_model=UserAnswer)
async def get_me(context: In, principal: Annotated[Principal, require(None)]) -> Response:
    """The user whose token this is, with the organizations."""
    return one(await service.me(context, principal.user_id))
