"""Signing in with a wallet: ask for a text, sign it, send it back."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.limits import Policy
from agentauri.accounts.siwe import find_nonce
from agentauri.serve import API
from agentauri.serve.answers import one, secret
from agentauri.serve.auth.schemas import RegisteredAnswer, TokensAnswer
from agentauri.serve.auth.wallet import service
from agentauri.serve.auth.wallet.schemas import NonceAnswer, NonceBody, WalletBody
from agentauri.serve.context import In
from agentauri.serve.guard import Guard, guarded
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.reading import Route
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)
NEW: dict[int | str, dict[str, Any]] = {
    201: {"model": RegisteredAnswer, "description": "Signed in for the first time: the account is new."}
}


@router.post("/nonce", operation_id="create_nonce", response_model=NonceAnswer, responses=errors(429))
async def create_nonce(context: In, guard: Annotated[Guard, guarded(Policy.NONCE)], body: NonceBody) -> Response:
    """A text for the wallet to sign (EIP-4361). It works once, for this address and chain, within five minutes."""
    await guard.admit(body.address)
    return secret(one(await service.give_nonce(context, body)))


@router.post(
    "/wallet",
    operation_id="sign_in_with_wallet",
    response_model=TokensAnswer,
    responses={**errors(401, 429), **NEW},
)
async def sign_in_with_wallet(
    context: In, guard: Annotated[Guard, guarded(Policy.LOGIN)], once: Once, body: WalletBody
) -> Response:
    """Log in with a signed text. The first time makes an account with its personal organization, as registering does.

    A key signs by EIP-191. A contract wallet is asked on its chain (EIP-1271; EIP-6492 while it is not deployed),
    where this deployment knows that chain; such a wallet is an account of its own on every chain.
    """
    await guard.admit(find_nonce(body.message))  # a nonce and not an address: whose quota it is cannot be made up
    proven = await service.prove(context, body)

    async def work(connection: Connection) -> Response:
        answer, is_new = await service.sign_in(context, connection, proven, guard.client)
        return secret(one(answer, 201 if is_new else 200))

    return await once.perform(None, work)
