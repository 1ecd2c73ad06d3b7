"""Where a request comes from: what every route may know of its client, signed in or not, and what is noted of it."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from agentauri.accounts.roles import Principal
from agentauri.serve.problems import REQUEST_ID
from agentauri.store import audit
from agentauri.store.audit import Actor
from agentauri.store.database import Connection

MAX_USER_AGENT = 512


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of a request; ``ip`` is "" when nobody vouches for an address."""

    ip: str
    user_agent: str
    request_id: str


def client_of(request: HTTPConnection) -> Client:
    """The client of a request."""
    ip = request.app.state.context.peers.address(request.headers)
    agent = request.headers.get("user-agent", "")[:MAX_USER_AGENT].replace("\0", "")
    return Client(ip, agent, request.scope.get(REQUEST_ID, ""))


def actor_of(principal: Principal, client: Client) -> Actor:
    """Who acts, for the audit log."""
    return Actor(principal.kind, principal.id, principal.user_id, client.ip, client.request_id)


async def note(
    connection: Connection,
    principal: Principal,
    client: Client,
    action: str,
    target: str,
    details: dict[str, Any] | None = None,
) -> None:
    """Write into the organization's audit log what is done in this transaction."""
    await audit.record(
        connection,
        actor_of(principal, client),
        action,
        organization_id=principal.organization_id,
        target=target,
        details=details,
    )
