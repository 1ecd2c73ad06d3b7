"""Signing in with a wallet: a text of ours is given out, and what comes back signed is compared with it whole.

The signature is checked before the transaction that uses the nonce, since a chain may have to be asked; the nonce is
used in the transaction that begins the session, so of two sign-ins at once with one nonce, one begins a session.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from agentauri import logs
from agentauri.accounts import siwe
from agentauri.accounts.siwe import SignIn
from agentauri.accounts.wallets import parse_address, shown, subject_of, verify
from agentauri.errors import InvalidRequest, RpcUnavailable, Unauthenticated, Unavailable
from agentauri.models.problems import Problems
from agentauri.serve.auth.begin import begin_first_session, begin_session, create_account
from agentauri.serve.auth.wallet.schemas import NonceBody, WalletBody
from agentauri.serve.caller import Client
from agentauri.serve.context import Context
from agentauri.store import identities, login_nonces, users
from agentauri.store.database import Connection
from agentauri.store.login_nonces import LoginNonce

log = logs.get("auth")
PROVIDER = "wallet"
NOT_GIVEN = (
    "this text was not given out here, was signed in with already, or has expired; POST /api/v1/auth/nonce again."
)
CHANGED = "is not the text that POST /api/v1/auth/nonce gave; sign and send that, unchanged."
DISABLED = "this account is disabled."


@dataclass(frozen=True, slots=True)
class Proven:
    """A nonce whose text a wallet has signed, and what the wallet is known by."""

    nonce: LoginNonce
    subject: str


async def give_nonce(context: Context, body: NonceBody) -> dict[str, Any]:
    """The text for a wallet to sign. Raises InvalidRequest."""
    problems = Problems()
    address = problems.check("/address", parse_address, body.address)
    problems.refuse("the address cannot sign in")
    request = siwe.begin(context.settings.public_url, str(address), body.chain_id, datetime.now(UTC))
    nonce = LoginNonce(request.nonce, request.address, request.chain_id, request.issued_at, request.expires_at)
    async with context.pool.acquire() as connection:
        await login_nonces.create_nonce(connection, nonce)
    return {"nonce": request.nonce, "message": request.text(), "expires_at": request.expires_at}


async def prove(context: Context, body: WalletBody) -> Proven | None:
    """What the signature proves; None: the nonce is not there, which ``sign_in`` will say.

    (Not here: the same request, sent again with its Idempotency-Key, gets its stored answer though the nonce is gone.)
    Raises InvalidRequest, Unauthenticated, or Unavailable when the chain of a contract wallet cannot be asked.
    """
    async with context.pool.acquire() as connection:
        nonce = await login_nonces.find_nonce(connection, siwe.find_nonce(body.message) or "")
    if nonce is None:
        return None
    if body.message != _request(context, nonce).text():
        _refuse("/message", CHANGED)
    try:
        proof = await verify(
            address=nonce.address,
            chain_id=nonce.chain_id,
            message=body.message,
            signature=bytes.fromhex(body.signature[2:]),
            check=context.wallets.checker(nonce.chain_id),
        )
    except RpcUnavailable:
        raise Unavailable(f"chain {nonce.chain_id} cannot be asked about the wallet now; try again soon.") from None
    return Proven(nonce, subject_of(nonce.address, nonce.chain_id, proof))


async def sign_in(
    context: Context, connection: Connection, proven: Proven | None, client: Client
) -> tuple[dict[str, Any], bool]:
    """Use the nonce and begin a session; whether the account is new. Raises Unauthenticated.

    Runs in the caller's transaction: the first sign-in makes user, personal organization and identity in it.
    """
    if proven is None or not await login_nonces.use_nonce(connection, proven.nonce):
        raise Unauthenticated(NOT_GIVEN)
    await identities.lock_identity(connection, PROVIDER, proven.subject)
    known = await identities.find_identity(connection, PROVIDER, proven.subject)
    if known is None:
        return await _register(context, connection, proven, client), True
    user = await users.get_user(connection, known.user_id)
    if user.disabled_at is not None:
        raise Unauthenticated(DISABLED)
    await identities.touch_identity(connection, PROVIDER, proven.subject, known.email)
    return await begin_session(context, connection, user, client, method=PROVIDER), False


async def _register(context: Context, connection: Connection, proven: Proven, client: Client) -> dict[str, Any]:
    user, secret = await create_account(context, connection, client, email=None, name=shown(proven.nonce.address))
    await identities.attach_identity(connection, provider=PROVIDER, subject=proven.subject, user_id=user.id, email=None)
    answer = await begin_first_session(context, connection, user, client, method=PROVIDER)
    log.info("user_registered", user=str(user.id), method=PROVIDER)
    return {**answer, "webhook_secret": secret}


def _request(context: Context, nonce: LoginNonce) -> SignIn:
    """What was given out with a nonce, as this deployment would write it now."""
    url = context.settings.public_url
    domain = siwe.domain_of(url)
    return SignIn(domain, url, nonce.address, nonce.chain_id, nonce.nonce, nonce.issued_at, nonce.expires_at)


def _refuse(pointer: str, detail: str) -> NoReturn:
    raise InvalidRequest(f"{pointer} {detail}", [(pointer, detail)])
