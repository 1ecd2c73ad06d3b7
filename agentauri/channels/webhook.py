"""The channel of ``rest`` actions: signed webhooks, behind the outbound guard.

Whatever the receiver does, hangs, resets, redirects, drips or floods, an attempt ends within its deadline in exactly
one outcome, with the connection closed where its state is not known. Which outcomes lead to another attempt is
``retry.py``; no attempt repeats itself here, but on a kept connection that the receiver had closed meanwhile.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from agentauri.channels.addresses import Policy
from agentauri.channels.excerpt import excerpt
from agentauri.channels.exchange import Answer, Exchange
from agentauri.channels.failures import unanswered, unbuilt
from agentauri.channels.guard import MAX_BODY_BYTES, GuardedClient
from agentauri.channels.journey import Journey
from agentauri.channels.kept import Kept
from agentauri.channels.request import Prepared, Request, build, prepare
from agentauri.channels.retry import parse_retry_after
from agentauri.errors import Blocked, TemplateError
from agentauri.models.delivery import Attempt, Claimed, Outcome


class Webhook:
    """Sends webhooks. ``now`` gives seconds since 1970, for timestamps and Retry-After dates."""

    def __init__(self, client: GuardedClient, now: Callable[[], float] = time.time) -> None:
        self._client = client
        self._exchange = Exchange(client)
        self._now = now
        self._prepared = Kept[Prepared](lambda one: prepare(one.config))

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
            prepared = self._prepared.of(delivery)
            request = build(delivery, prepared, int(self._now()))
        except (TemplateError, ValueError) as error:
            return unbuilt(error, time.monotonic() - began)
        journey = Journey()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._send(request, journey)
        except (aiohttp.ClientError, OSError, Blocked, ValueError) as error:
            took = time.monotonic() - began
            return unanswered(error, took, seconds, request=request.without_secrets(), sent=journey.sent)
        return self._answered(answer, request, prepared, began)

    async def _send(self, request: Request, journey: Journey) -> Answer:
        try:
            return await self._exchange.send(request, journey)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not journey.reused:
                raise
        # The receiver had closed the kept connection: that says nothing about it, so a new one is tried.
        return await self._exchange.send(request, journey)

    def _answered(self, answer: Answer, request: Request, prepared: Prepared, began: float) -> Attempt:
        is_success = prepared.expects(answer.status)
        message = None if is_success else _say_status(answer.status)
        if answer.is_cut:
            message = f"{message or 'Accepted.'} The answer was longer than {MAX_BODY_BYTES} bytes and was cut."
        asked = answer.headers.get("Retry-After")
        return Attempt(
            outcome=Outcome.SUCCESS if is_success else Outcome.HTTP,
            duration_seconds=time.monotonic() - began,
            http_status=answer.status,
            error_class=None if is_success else "UnexpectedStatus",
            error_message=message,
            response_excerpt=excerpt(answer.body),
            request=request.without_secrets(),
            retry_after=parse_retry_after(asked, datetime.fromtimestamp(self._now(), UTC)) if asked else None,
            sent=True,
        )


def _say_status(status: int) -> str:
    if 300 <= status <= 399:
        return f"The receiver answered {status}; redirects are not followed."
    return f"The receiver answered {status}."
