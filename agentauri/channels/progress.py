"""How far a request of the outbound client has come: told by aiohttp while it is under way.

Whoever opens a client with ``traces()`` gives each request a ``Progress`` as its ``trace_request_ctx``.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp


@dataclass(slots=True)
class Progress:
    """How far a request has come."""

    reused: bool = False
    sent: bool = False


def traces() -> list[aiohttp.TraceConfig]:
    """What notes each request's progress."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(_note_reuse)
    trace.on_request_headers_sent.append(_note_sent)
    return [trace]


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    context.trace_request_ctx.reused = True


async def _note_sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    context.trace_request_ctx.sent = True
