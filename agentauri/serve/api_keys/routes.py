"""API keys of the organization: create (text shown once), list, get, change, rotate, revoke, statistics."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one, secret
from agentauri.serve.api_keys import service
from agentauri.serve.api_keys.schemas import (
    ApiKeyAnswer,
    ApiKeyBody,
    ApiKeyChange,
    ApiKeyList,
    KeyStatsAnswer,
    Live,
    NewApiKeyAnswer,
    RevokeBody,
    RotateBody,
)
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.store import api_keys
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/api-keys", tags=["api-keys"], route_class=Route)
Reader = Annotated[Principal, require(Scope.KEYS_READ)]
ReaderOf = Annotated[Principal, require(Scope.KEYS_READ, of=Resource.API_KEY)]
Admin = Annotated[Principal, require(Scope.KEYS_WRITE)]
AdminOf = Annotated[Principal, require(Scope.KEYS_WRITE, of=Resource.API_KEY)]
State = Annotated[Live | None, Query(description="Only keys that work, or only those that do not any more.")]


@router.post("", operation_id="create_api_key", status_code=201, response_model=NewApiKeyAnswer)
async def create_api_key(context: In, principal: Admin, client: Anonymous, once: Once, body: ApiKeyBody) -> Response:
    """Create a key. Its text is in this answer and nowhere else afterwards."""

    async def work(connection: Connection) -> Response:
        return secret(one(await service.create(context, connection, principal, client, body), 201))

    return await once.perform(principal, work)


@router.get("", operation_id="list_api_keys", response_model=ApiKeyList)
async def list_api_keys(
    context: In, principal: Reader, state: State = None, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The organization's keys, the newest first, without their texts."""
    live = None if state is None else state == "active"
    async with context.pool.acquire() as connection:
        found, total = await api_keys.list_keys(
            connection, principal.organization_id, live=live, limit=limit, offset=offset
        )
    return counted([asdict(key) for key in found], total=total, limit=limit, offset=offset)


@router.get("/stats", operation_id="get_api_key_stats", response_model=KeyStatsAnswer)
async def get_api_key_stats(context: In, principal: Reader) -> Response:
    """How many keys the organization has, by their state, and how much they are used."""
    async with context.pool.acquire() as connection:
        return one(asdict(await api_keys.get_stats(connection, principal.organization_id)))


@router.get("/{key_id}", operation_id="get_api_key", response_model=ApiKeyAnswer)
async def get_api_key(context: In, principal: ReaderOf, key_id: Id) -> Response:
    """One key."""
    async with context.pool.acquire() as connection:
        return one(asdict(await api_keys.get_key(connection, principal.organization_id, key_id)))


@router.patch("/{key_id}", operation_id="change_api_key", response_model=ApiKeyAnswer, responses=errors(409))
async def change_api_key(
    context: In, principal: AdminOf, client: Anonymous, key_id: Id, body: ApiKeyChange
) -> Response:
    """Change the fields that are sent; what a key may do changes everywhere within a second."""
    async with context.pool.acquire() as connection, connection.transaction():
        return one(await service.change(connection, principal, client, key_id, body))


@router.post("/{key_id}/rotate", operation_id="rotate_api_key", response_model=NewApiKeyAnswer, responses=errors(409))
async def rotate_api_key(
    principal: AdminOf, client: Anonymous, once: Once, key_id: Id, body: RotateBody | None = None
) -> Response:
    """Give the key a new text, shown once. The old one ends at once, or after the grace that is asked for."""
    grace = 0.0 if body is None else body.grace_hours

    async def work(connection: Connection) -> Response:
        return secret(one(await service.rotate(connection, principal, client, key_id, grace)))

    return await once.perform(principal, work)


@router.delete("/{key_id}", operation_id="revoke_api_key", status_code=204, response_class=Response)
async def revoke_api_key(
    context: In, principal: AdminOf, client: Anonymous, key_id: Id, body: RevokeBody | None = None
) -> Response:
    """Revoke the key, for good; it is refused everywhere within a second. It stays in the list, with the reason."""
    async with context.pool.acquire() as connection, connection.transaction():
        await service.revoke(connection, principal, client, key_id, None if body is None else body.reason)
    return nothing()
