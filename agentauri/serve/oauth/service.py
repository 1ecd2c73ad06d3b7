"""Making, changing and revoking OAuth clients. A client never gets a scope that its maker does not have."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

from agentauri.accounts.clients import make_secret
from agentauri.accounts.roles import Principal, Scope
from agentauri.errors import Forbidden, LimitReached
from agentauri.serve.caller import Client, note
from agentauri.serve.context import Context
from agentauri.serve.oauth.schemas import ClientChange, NewClientBody
from agentauri.store import oauth_clients
from agentauri.store.database import Connection

MAX_CLIENTS = 100
"""Live ones of an organization."""


async def create(connection: Connection, principal: Principal, client: Client, body: NewClientBody) -> dict[str, Any]:
    """A new client, with its secret. Raises Forbidden or LimitReached. In the caller's transaction."""
    permissions = grantable(principal, body.permissions)
    if await oauth_clients.count_live(connection, principal.organization_id) >= MAX_CLIENTS:
        raise LimitReached(f"an organization has at most {MAX_CLIENTS} live OAuth clients; revoke one first.")
    secret = make_secret()
    new = oauth_clients.NewOAuthClient(uuid4(), body.name, secret.prefix, secret.sha256, permissions, principal.user_id)
    made = await oauth_clients.create_client(connection, principal.organization_id, new)
    await _record(connection, principal, client, "created", made.id, {"name": made.name, "permissions": permissions})
    return {**asdict(made), "secret": secret.text}


async def change(
    context: Context, principal: Principal, client: Client, client_id: UUID, body: ClientChange
) -> dict[str, Any]:
    """Change a live client; scopes that it loses are gone from its tokens too. Raises Forbidden or NotFound."""
    changes = body.model_dump(exclude_unset=True)
    permissions = grantable(principal, body.permissions) if "permissions" in changes else None
    async with context.pool.acquire() as connection, connection.transaction():
        made = await oauth_clients.update_client(
            connection, principal.organization_id, client_id, name=changes.get("name"), permissions=permissions
        )
        await _record(connection, principal, client, "changed", client_id, changes)
    context.access.forget(f"client:{client_id}")  # here at once; the other replicas hear of it
    return asdict(made)


async def revoke(context: Context, principal: Principal, client: Client, client_id: UUID) -> None:
    """End a client with all its tokens; once is enough. Raises NotFound."""
    async with context.pool.acquire() as connection, connection.transaction():
        if await oauth_clients.revoke_client(connection, principal.organization_id, client_id):
            await _record(connection, principal, client, "revoked", client_id, {})
    context.access.forget(f"client:{client_id}")


def grantable(principal: Principal, wanted: Sequence[Scope]) -> list[str]:
    """The scopes as they are stored. Raises Forbidden for one that the caller has not."""
    beyond = sorted(set(wanted) - principal.scopes)
    if beyond:
        raise Forbidden(f"a client cannot be given more than you may do yourself: {', '.join(beyond)}.")
    return sorted(wanted)


async def _record(
    connection: Connection, principal: Principal, client: Client, verb: str, client_id: UUID, details: dict[str, Any]
) -> None:
    await note(connection, principal, client, f"oauth_client.{verb}", f"oauth_client:{client_id}", details)
