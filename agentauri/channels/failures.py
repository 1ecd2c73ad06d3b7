"""What kind of failure an error of the outbound client is.

One table for every channel, so that a broken connection means the same whatever was sent over it.
"""

import aiohttp

from agentauri.errors import Blocked
from agentauri.models.delivery import Outcome


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
