"""OAuth 2: the clients of an organization, and the endpoint at which they get tokens.

The token endpoint alone takes a form and refuses in the words of RFC 6749, as OAuth clients of every make expect;
what concerns HTTP itself (size, kind of body, rate) is problem+json there too, whose ``error`` they read as well.
"""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from agentauri.accounts.clients import Credentials, read_credentials
from agentauri.accounts.limits import Policy
from agentauri.accounts.roles import Principal, Scope
from agentauri.errors import OAuthRefused
from agentauri.serve import API, routing
from agentauri.serve.answers import Json, counted, nothing, one, secret
from agentauri.serve.context import In
from agentauri.serve.guard import Guard, guarded
from agentauri.serve.oauth import service, tokens
from agentauri.serve.oauth.form import read_form
from agentauri.serve.oauth.schemas import (
    TOKEN_FORM,
    ClientChange,
    NewClientBody,
    NewOAuthClientAnswer,
    OAuthClientAnswer,
    OAuthClientList,
    TokenAnswer,
    refusal,
)
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.store import oauth_clients
from agentauri.store.database import Connection

PREFIX = f"{API}/oauth"
TOKEN_PATH = f"{PREFIX}/token"
router = APIRouter(prefix=PREFIX, tags=["oauth"], route_class=Route)
forms = APIRouter(tags=["oauth"], route_class=routing.Route)
"""The route that takes a form: without the strict reading of JSON."""
Reader = Annotated[Principal, require(Scope.KEYS_READ)]
Admin = Annotated[Principal, require(Scope.KEYS_WRITE)]
ReaderOf = Annotated[Principal, require(Scope.KEYS_READ, of=Resource.OAUTH_CLIENT)]
AdminOf = Annotated[Principal, require(Scope.KEYS_WRITE, of=Resource.OAUTH_CLIENT)]
CHALLENGE = 'Basic realm="AgentAuri", charset="UTF-8"'
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@router.get("/clients", operation_id="list_oauth_clients", response_model=OAuthClientList)
async def list_oauth_clients(
    context: In, principal: Reader, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The organization's OAuth clients, the newest first, revoked ones too; without their secrets."""
    async with context.pool.acquire() as connection:
        found, total = await oauth_clients.list_clients(
            connection, principal.organization_id, limit=limit, offset=offset
        )
    return counted([asdict(client) for client in found], total=total, limit=limit, offset=offset)


@router.post("/clients", operation_id="create_oauth_client", status_code=201, response_model=NewOAuthClientAnswer)
async def create_oauth_client(principal: Admin, client: Anonymous, once: Once, body: NewClientBody) -> Response:
    """Make a client. Its secret is in this answer and nowhere else afterwards."""

    async def work(connection: Connection) -> Response:
        return secret(one(await service.create(connection, principal, client, body), 201))

    return await once.perform(principal, work)


@router.get("/clients/{client_id}", operation_id="get_oauth_client", response_model=OAuthClientAnswer)
async def get_oauth_client(context: In, principal: ReaderOf, client_id: Id) -> Response:
    """One client."""
    async with context.pool.acquire() as connection:
        return one(asdict(await oauth_clients.get_client(connection, principal.organization_id, client_id)))


@router.patch("/clients/{client_id}", operation_id="change_oauth_client", response_model=OAuthClientAnswer)
async def change_oauth_client(
    context: In, principal: AdminOf, client: Anonymous, client_id: Id, body: ClientChange
) -> Response:
    """Change a client's name or scopes; scopes that it loses are refused to its tokens within a second."""
    return one(await service.change(context, principal, client, client_id, body))


@router.delete("/clients/{client_id}", operation_id="revoke_oauth_client", status_code=204, response_class=Response)
async def revoke_oauth_client(context: In, principal: AdminOf, client: Anonymous, client_id: Id) -> Response:
    """Revoke a client; its secret and all its tokens are refused within a second, for good."""
    await service.revoke(context, principal, client, client_id)
    return nothing()


@forms.post(
    TOKEN_PATH,
    operation_id="create_oauth_token",
    response_model=TokenAnswer,
    responses=errors(429)
    | {
        400: refusal("invalid_grant", tokens.NOT_REFRESHED),
        401: refusal("invalid_client", "the client is unknown or revoked, or its secret is wrong"),
    },
    openapi_extra=TOKEN_FORM,
)
async def create_oauth_token(request: Request, context: In, guard: Annotated[Guard, guarded(Policy.TOKEN)]) -> Response:
    """Get tokens as an OAuth client: grant `client_credentials`, or `refresh_token`; as a form (RFC 6749)."""
    try:
        form, credentials = await _read(request, guard)
        return Json(await tokens.issue(context, form, credentials, guard.client), headers=NO_STORE)
    except OAuthRefused as refused:
        is_unknown = refused.error == "invalid_client"
        body = {"error": refused.error, "error_description": refused.description}
        headers = NO_STORE | ({"WWW-Authenticate": CHALLENGE} if is_unknown else {})
        return Json(body, 401 if is_unknown else 400, headers)


async def _read(request: Request, guard: Guard) -> tuple[dict[str, str], Credentials]:
    """What is asked and by whom, counted; a request that names no client too. Raises OAuthRefused."""
    try:
        form = await read_form(request)
        credentials = read_credentials(request.headers.get("authorization"), form)
    except OAuthRefused:
        await guard.admit()
        raise
    await guard.admit(str(credentials.client_id))
    return form, credentials
