"""The demo's user: everything it does goes through the HTTP API, as anybody's program would.

Raises DemoFailed with the API's own words when an answer is not what the documentation promises.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from agentauri.errors import AgentAuriError

CALL_SECONDS = 10.0
PAGE = 100
EMAIL = "demo@example.com"


class DemoFailed(AgentAuriError):
    """A step of the demo did not do what it should."""


class Visitor:
    """A registered user with a token."""

    def __init__(self, client: httpx2.AsyncClient, password: str) -> None:
        self._client = client
        self.password = password
        self.webhook_secret = ""
        self._newest_seq = 0

    async def register(self) -> None:
        """Make an account; its organization's first webhook secret is shown here once."""
        answer = await self._ask("POST", "/auth/register", {"email": EMAIL, "password": self.password})
        self._client.headers["authorization"] = f"Bearer {answer['data']['token']}"
        self.webhook_secret = answer["data"]["webhook_secret"]

    async def create_trigger(self, body: dict[str, Any]) -> str:
        """Create a trigger; returns its id."""
        answer = await self._ask("POST", "/triggers", body)
        identity: str = answer["data"]["id"]
        return identity

    async def new_events(self) -> list[dict[str, Any]]:
        """Events since the last call, oldest first."""
        answer = await self._ask("GET", f"/events?limit={PAGE}")
        found = [event for event in reversed(answer["data"]) if event["seq"] > self._newest_seq]
        self._newest_seq = max([self._newest_seq, *(event["seq"] for event in found)])
        return found

    async def deliveries(self) -> list[dict[str, Any]]:
        """The newest deliveries, oldest first."""
        answer = await self._ask("GET", f"/deliveries?limit={PAGE}")
        return list(reversed(answer["data"]))

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise DemoFailed(f"{method} {path}: the API does not answer ({error!r})") from error
        if not answer.is_success:
            raise DemoFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def visiting(api_url: str) -> AsyncIterator[Visitor]:
    """A visitor of the API at ``api_url``, not registered yet."""
    async with httpx2.AsyncClient(base_url=f"{api_url}/api/v1", timeout=CALL_SECONDS, trust_env=False) as client:
        yield Visitor(client, secrets.token_urlsafe(18))
