"""Where a request comes from: what every route may know of its client, signed in or not."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from agentauri.accounts.roles import Principal
from agentauri.serve.problems import REQUEST_ID
from agentauri.store.audit import Actor

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
