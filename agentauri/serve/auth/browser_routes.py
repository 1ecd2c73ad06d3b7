"""What a page needs that acts by cookie."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.limits import Policy
from agentauri.serve import API
from agentauri.serve.answers import one, secret
from agentauri.serve.auth.account_schemas import CsrfAnswer
from agentauri.serve.auth.cookies import PARAMETERS, find_refresh_cookie, get_session
from agentauri.serve.context import In
from agentauri.serve.guard import Guard, guarded
from agentauri.serve.openapi import errors
from agentauri.serve.reading import Route

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)


@router.get(
    "/csrf",
    operation_id="get_csrf",
    response_model=CsrfAnswer,
    responses=errors(401, 429),
    openapi_extra={"parameters": PARAMETERS},
)
async def get_csrf(context: In, guard: Annotated[Guard, guarded(Policy.REFRESH)]) -> Response:
    """The value of `X-CSRF-Token` for the session in the cookies: requests by cookie that change something need it.

    Either cookie is enough, so a page that was away for long asks here first and then refreshes.
    """
    await guard.admit(find_refresh_cookie(guard.request))
    session_id = await get_session(context, guard.request)
    return secret(one({"csrf_token": context.csrf.token(session_id)}))
