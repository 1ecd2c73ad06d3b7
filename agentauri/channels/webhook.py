"""The channel of ``rest`` actions: signed webhooks over aiohttp, behind the outbound guard.

Whatever the receiver does, hangs, resets, redirects, drips or floods, an attempt ends within its deadline in exactly
one outcome, with the connection closed where its state is not known. Which outcomes lead to another attempt is
``retry.py``; no attempt repeats itself here, but on a kept connection that the receiver had closed meanwhile.
"""

import asyncio
import io
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import aiohttp

from agentauri.channels.addresses import Policy
from agentauri.channels.excerpt import MESSAGE_BYTES, clean, excerpt
from agentauri.channels.failures import classify
from agentauri.channels.guard import MAX_BODY_BYTES, GuardedClient, read_capped
from agentauri.channels.journey import Journey, begin
from agentauri.channels.request import Prepared, Request, build, prepare
from agentauri.channels.retry import parse_retry_after
from agentauri.errors import Blocked, TemplateError
from agentauri.models.delivery import Attempt, Claimed, Outcome

PREPARED_KEPT = 10_000
LARGE_BODY_BYTES = 256 * 1024


class Webhook:
    """Sends webhooks. ``now`` gives seconds since 1970, for timestamps and Retry-After dates."""

    def __init__(self, client: GuardedClient, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._now = now
        self._prepared: OrderedDict[tuple[UUID, datetime], Prepared] = OrderedDict()

    @classmethod
    def open(cls, policy: Policy) -> "Webhook":
        """One with a client of its own. Needs a running event loop."""
        return cls(GuardedClient(policy))

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def attempt(self, delivery: Claimed, seconds: float) -> Attempt:
        """Send once and say how it ended, within ``seconds``."""
        began = time.monotonic()
        try:
            prepared = self._prepare(delivery)
            request = build(delivery, prepared, int(self._now()))
        except (TemplateError, ValueError) as error:
            message = clean(str(error), MESSAGE_BYTES)
            took = time.monotonic() - began
            return Attempt(Outcome.REJECTED, took, error_class=type(error).__name__, error_message=message)
        journey = Journey()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(request, prepared, journey, began)
        except (aiohttp.ClientError, OSError, Blocked, ValueError) as error:
            return _failed(error, request, journey, time.monotonic() - began, seconds)

    def _prepare(self, delivery: Claimed) -> Prepared:
        key = (delivery.action_id, delivery.version)
        found = self._prepared.get(key)
        if found is None:
            found = self._prepared[key] = prepare(delivery.config)
            if len(self._prepared) > PREPARED_KEPT:
                self._prepared.popitem(last=False)
        return found

    async def _exchange(self, request: Request, prepared: Prepared, journey: Journey, began: float) -> Attempt:
        try:
            return await self._send(request, prepared, journey, began)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not journey.reused:
                raise
        # The receiver had closed the kept connection: that says nothing about it, so a new one is tried.
        return await self._send(request, prepared, journey, began)

    async def _send(self, request: Request, prepared: Prepared, journey: Journey, began: float) -> Attempt:
        begin(journey)
        headers = {**request.headers, "Connection": "close"} if self._client.crowded else request.headers
        async with self._client.session.request(
            request.method,
            request.url,
            headers=headers,
            data=_payload(request.body),
            allow_redirects=False,
        ) as response:
            body, is_cut = await read_capped(response)
        return self._answered(response, body, is_cut, request, prepared, began)

    def _answered(
        self,
        response: aiohttp.ClientResponse,
        body: bytes,
        is_cut: bool,
        request: Request,
        prepared: Prepared,
        began: float,
    ) -> Attempt:
        is_success = prepared.expects(response.status)
        message = None if is_success else _say_status(response.status)
        if is_cut:
            message = f"{message or 'Accepted.'} The answer was longer than {MAX_BODY_BYTES} bytes and was cut."
        return Attempt(
            outcome=Outcome.SUCCESS if is_success else Outcome.HTTP,
            duration_seconds=time.monotonic() - began,
            http_status=response.status,
            error_class=None if is_success else "UnexpectedStatus",
            error_message=message,
            response_excerpt=excerpt(body),
            request=request.without_secrets(),
            retry_after=parse_retry_after(
                response.headers.get("Retry-After"), datetime.fromtimestamp(self._now(), UTC)
            ),
            sent=True,
        )


def _payload(body: bytes) -> aiohttp.BytesPayload | io.BytesIO | None:
    """A body as aiohttp takes it without a search for its type, or a warning: large ones are written in pieces."""
    if len(body) > LARGE_BODY_BYTES:
        return io.BytesIO(body)
    return aiohttp.BytesPayload(body) if body else None


def _say_status(status: int) -> str:
    if 300 <= status <= 399:
        return f"The receiver answered {status}; redirects are not followed."
    return f"The receiver answered {status}."


def _failed(error: Exception, request: Request, journey: Journey, took: float, seconds: float) -> Attempt:
    outcome = classify(error)
    message = f"No complete answer within {seconds:g} s." if outcome is Outcome.TIMEOUT else str(error)
    return Attempt(
        outcome=outcome,
        duration_seconds=took,
        error_class=type(error).__name__,
        error_message=clean(message or type(error).__name__, MESSAGE_BYTES),
        request=request.without_secrets(),
        sent=journey.sent,
    )
