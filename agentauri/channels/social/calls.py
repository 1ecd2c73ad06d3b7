"""Calls to a login provider: bounded in time, size and depth, and every failure one of two sentences.

A provider that is away or answers nonsense is Unavailable; one that refuses the login makes it Unauthenticated. What
a provider says is never repeated to the caller: it goes to the log. No redirect is followed and no compression is
accepted, so a small answer cannot grow.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from agentauri import __version__, logs
from agentauri.errors import Unauthenticated, Unavailable
from agentauri.models.depth import is_deeper
from agentauri.models.social import Attempt, Provider

log = logs.get("social")
CALL_SECONDS = 5.0
LOGIN_SECONDS = 10.0
"""All calls of one login together."""
MAX_ANSWER_BYTES = 256 * 1024
MAX_DEPTH = 32
CONNECTIONS = 20
REFUSALS = frozenset({"invalid_grant", "bad_verification_code", "access_denied"})
"""Errors that are about the login; others are about how we are registered, and for the operator to mend."""
HEADERS = {"accept": "application/json", "accept-encoding": "identity", "user-agent": f"agentauri/{__version__}"}


@dataclass(frozen=True, slots=True)
class Registration:
    """What a provider knows us by; ``callback`` is where it sends browsers back to."""

    client_id: str
    client_secret: str
    callback: str


class Bounded(httpx2.AsyncBaseTransport):
    """A transport that many clients share: reads each answer whole, up to the bound, and outlives them."""

    def __init__(self) -> None:
        self._inner: httpx2.AsyncHTTPTransport | None = None

    def _opened(self) -> httpx2.AsyncHTTPTransport:
        """The connections; opened at the first call, for reading the certificates takes a while."""
        if self._inner is None:
            limits = httpx2.Limits(max_connections=CONNECTIONS)
            self._inner = httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)
        return self._inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One exchange. Raises httpx2.HTTPError, and TimeoutError when it takes too long."""
        async with asyncio.timeout(CALL_SECONDS):
            answer = await self._opened().handle_async_request(request)
            try:
                body = await _read(answer)
            finally:
                await answer.aclose()
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() in (b"content-type", b"date")]
        return httpx2.Response(answer.status_code, headers=headers, content=body, request=request)

    async def aclose(self) -> None:
        """Nothing: a client that closes leaves the connections to the others."""

    async def close(self) -> None:
        """Close the connections."""
        if self._inner is not None:
            await self._inner.aclose()


async def _read(answer: httpx2.Response) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("the answer is compressed, which was not asked for")
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            raise httpx2.DecodingError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    if is_deeper(bytes(body), MAX_DEPTH):
        raise httpx2.DecodingError(f"the answer nests deeper than {MAX_DEPTH} levels")
    return bytes(body)


class Calls:
    """The calls to one provider."""

    def __init__(self, provider: Provider, registration: Registration, transport: Bounded) -> None:
        self.provider, self.registration, self._transport = provider, registration, transport

    def client(self, scope: str) -> AsyncOAuth2Client:
        """An OAuth client for one login; it holds that login's token."""
        return AsyncOAuth2Client(
            client_id=self.registration.client_id,
            client_secret=self.registration.client_secret,
            token_endpoint_auth_method="client_secret_post",
            code_challenge_method="S256",
            scope=scope,
            redirect_uri=self.registration.callback,
            transport=self._transport,
            timeout=CALL_SECONDS,
            follow_redirects=False,
            trust_env=False,
            headers=HEADERS,
        )

    def redirection(self, endpoint: str, scope: str, attempt: Attempt, **more: str) -> str:
        """The address that a browser begins a login at."""
        url, _ = self.client(scope).create_authorization_url(
            endpoint, state=attempt.state, code_verifier=attempt.verifier, **more
        )
        return str(url)

    async def swap(self, client: AsyncOAuth2Client, endpoint: str, attempt: Attempt, code: str) -> dict[str, Any]:
        """The provider's tokens for a code. Raises Unauthenticated or Unavailable."""
        async with self.guarded():
            token = await client.fetch_token(
                endpoint, grant_type="authorization_code", code=code, code_verifier=attempt.verifier
            )
        return dict(token)

    async def get(self, client: httpx2.AsyncClient, url: str, **more: Any) -> Any:
        """The JSON that stands at ``url``. Raises Unavailable."""
        async with self.guarded():
            answer = await client.get(url, **more)
            answer.raise_for_status()
            return answer.json()

    async def fetch(self, url: str) -> Any:
        """The JSON that stands at a public ``url``. Raises Unavailable."""
        async with httpx2.AsyncClient(transport=self._transport, headers=HEADERS, trust_env=False) as client:
            return await self.get(client, url)

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[None]:
        """Turn what goes wrong inside into one of the two sentences."""
        try:
            yield
        except OAuthError as error:
            if error.error in REFUSALS:
                log.info("login_refused", provider=self.provider, error=str(error)[:200])
                raise self.refusal() from error
            log.error("registration_refused", provider=self.provider, error=str(error)[:200])
            raise self.nonsense() from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError, ValueError) as error:
            log.warning("provider_away", provider=self.provider, error=repr(error)[:200])
            raise self.nonsense() from error

    def refusal(self) -> Unauthenticated:
        """The provider does not vouch for this login."""
        return Unauthenticated(f"{self.provider.brand} did not confirm this login; begin again.")

    def nonsense(self) -> Unavailable:
        """The provider is away, or answers something else than it should."""
        return Unavailable(f"{self.provider.brand} does not answer as it should at this moment; try again later.")


def text_of(value: object, limit: int) -> str:
    """A text that a provider wrote, as it can be stored; "" for what is none."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "ignore").decode().replace("\0", "").strip()[:limit]
