"""What kind of failure an error of the outbound client is, and the attempt that it leaves.

One table for every channel, so that a broken connection means the same whatever was sent over it.
"""

from collections.abc import Callable
from typing import Any

import aiohttp

from agentauri.channels.excerpt import MESSAGE_BYTES, clean
from agentauri.errors import Blocked
from agentauri.models.delivery import Attempt, Outcome


def classify(error: BaseException) -> Outcome:
    """The outcome that an attempt which ended in ``error`` is recorded with."""
    match error:
        case Blocked() | aiohttp.InvalidURL():
            return Outcome.BLOCKED
        case TimeoutError():
            return Outcome.TIMEOUT
        case aiohttp.ClientConnectorDNSError():
            return Outcome.DNS
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return Outcome.TLS
        case aiohttp.ClientResponseError():
            return Outcome.HTTP
        case aiohttp.ClientError() | OSError():
            return Outcome.CONNECT
        case _:
            return Outcome.REJECTED


def unbuilt(error: Exception, took: float) -> Attempt:
    """The attempt of a request that could not be made from its configuration and event."""
    message = clean(str(error), MESSAGE_BYTES)
    return Attempt(Outcome.REJECTED, took, error_class=type(error).__name__, error_message=message)


def unanswered(
    error: Exception,
    took: float,
    seconds: float,
    *,
    request: dict[str, Any],
    sent: bool,
    without_secrets: Callable[[str], str] = str,
) -> Attempt:
    """The attempt of a request that got no complete answer; ``without_secrets`` cleans what the error says."""
    outcome = classify(error)
    message = f"No complete answer within {seconds:g} s." if outcome is Outcome.TIMEOUT else str(error)
    return Attempt(
        outcome=outcome,
        duration_seconds=took,
        error_class=type(error).__name__,
        error_message=clean(without_secrets(message or type(error).__name__), MESSAGE_BYTES),
        request=request,
        sent=sent,
    )
