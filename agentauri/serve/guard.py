"""The door of open routes: counted by address, and where they guess at secrets by the account that they name.

A route that takes a ``Guard`` has to ``admit`` the request before its work; both limits are then asked in one call.
"""

from dataclasses import dataclass

from fastapi import Depends, Request
from fastapi.params import Depends as DependsParameter
from starlette.datastructures import Headers
from starlette.types import Scope

from agentauri.accounts.limits import Policy
from agentauri.serve.caller import Client, client_of
from agentauri.serve.context import Context
from agentauri.serve.limiter import Limiter


@dataclass(frozen=True, slots=True)
class Guard:
    """One request before an open route."""

    request: Request
    policy: Policy
    client: Client

    async def admit(self, account: str | None = None) -> None:
        """Count it; ``account`` is what it names, as it was sent. Raises RateLimited or Unavailable."""
        limiter: Limiter = self.request.app.state.context.limiter
        await limiter.admit(self.request.scope, limiter.limits.guarded(self.policy, self.client.ip, account))


def guarded(policy: Policy) -> DependsParameter:
    """What an open route annotates its guard with."""

    async def stand(request: Request) -> Guard:
        return Guard(request, policy, client_of(request))

    parameter: DependsParameter = Depends(stand)
    return parameter


async def count_refused(scope: Scope) -> None:
    """Count a request that is refused before it reaches any door, as one with wrong credentials. Raises RateLimited."""
    context: Context = scope["app"].state.context
    demand = context.limiter.limits.guarded(Policy.CREDENTIALS, context.peers.address(Headers(scope=scope)))
    await context.limiter.admit(scope, demand)
