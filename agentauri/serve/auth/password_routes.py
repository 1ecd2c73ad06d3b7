"""New passwords, and showing whose an e-mail address is."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.limits import Policy
from agentauri.accounts.roles import Principal
from agentauri.serve import API
from agentauri.serve.answers import Json, nothing, one
from agentauri.serve.auth import addresses, new_password
from agentauri.serve.auth.account_schemas import ForgotBody, PasswordBody, ResetBody, SaidAnswer, TokenBody
from agentauri.serve.context import In
from agentauri.serve.guard import Guard, guarded
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, require_user
from agentauri.serve.reading import Route

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)
Me = Annotated[Principal, require_user()]


def _said(message: str, status: int = 200) -> Json:
    return one({"message": message}, status)


@router.post(
    "/password",
    operation_id="change_password",
    status_code=204,
    response_class=Response,
    responses=errors(409, 429),
)
async def change_password(context: In, me: Me, client: Anonymous, body: PasswordBody) -> Response:
    """Replace the own password, or set a first one. Every other session ends."""
    await new_password.change(context, me, client, body.current_password, body.new_password)
    return nothing()


@router.post(
    "/password/forgot",
    operation_id="forgot_password",
    status_code=202,
    response_model=SaidAnswer,
    responses=errors(429),
)
async def forgot_password(context: In, guard: Annotated[Guard, guarded(Policy.MAIL)], body: ForgotBody) -> Response:
    """Ask for a mail that lets set a new password. The answer is the same whether there is such an account or not."""
    await guard.admit(body.email)
    new_password.forgot(context, body.email)
    return _said("if there is an account with this address, a mail is on its way to it.", 202)


@router.post("/password/reset", operation_id="reset_password", response_model=SaidAnswer, responses=errors(429))
async def reset_password(context: In, guard: Annotated[Guard, guarded(Policy.EXCHANGE)], body: ResetBody) -> Response:
    """Set a new password with the token of a mail. Every session of the account ends, and a lock of it."""
    await guard.admit(body.token)
    await new_password.reset(context, body.token, body.password, guard.client)
    return _said("the password was changed; log in with it.")


@router.post("/email/verify", operation_id="verify_email", response_model=SaidAnswer, responses=errors(409, 429))
async def verify_email(context: In, guard: Annotated[Guard, guarded(Policy.EXCHANGE)], body: TokenBody) -> Response:
    """Show with the token of a mail that its address is yours; if it is a new one, your account has it from now on."""
    await guard.admit(body.token)
    email = await addresses.confirm(context, body.token, guard.client)
    return _said(f"{email} is verified.")


@router.post(
    "/email/send-verification",
    operation_id="send_verification",
    status_code=202,
    response_model=SaidAnswer,
    responses=errors(409, 429),
)
async def send_verification(context: In, me: Me) -> Response:
    """Have the mail that verifies the own address sent again."""
    await addresses.send_again(context, me.user)
    return _said("a mail is on its way to your address.", 202)
