"""The demo's webhook receiver: what a user's server does with a delivery, in fifty lines.

It verifies the Standard Webhooks signature over the raw body before it looks inside, refuses what is too old, and
recognises a repeat by ``webhook-id``. Loopback only.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from agentauri.channels.signatures import verifies

TOLERANCE_SECONDS = 300
"""A signature older than this is refused: a recorded delivery cannot be played back later."""
MAX_BODY_BYTES = 2**20


@dataclass
class Receiver:
    """Deliveries that arrived with a good signature, by id; and how many came without one."""

    heard: Callable[[dict[str, Any], bool], None]
    secret: str = ""
    url: str = ""
    verified: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: int = 0

    def verify(self, request: web.Request, body: bytes) -> bool:
        """Whether ``body`` was signed with our secret, not long ago."""
        identity, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
            return False
        return verifies(self.secret, identity, stamp, body, request.headers.get("webhook-signature", ""))

    async def handle(self, request: web.Request) -> web.Response:
        """204 for what is signed by us, 401 for anything else."""
        body = await request.read()
        if not self.verify(request, body):
            self.refused += 1
            self.heard({}, False)
            return web.Response(status=401)
        identity = request.headers["webhook-id"]
        if identity not in self.verified:
            self.verified[identity] = orjson.loads(body)
            self.heard(self.verified[identity], True)
        return web.Response(status=204)


@asynccontextmanager
async def receiving(heard: Callable[[dict[str, Any], bool], None]) -> AsyncIterator[Receiver]:
    """A receiver on a free loopback port; ``heard`` gets each new delivery and whether it was verified."""
    receiver = Receiver(heard)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
