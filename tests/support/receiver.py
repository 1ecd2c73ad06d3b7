"""A webhook receiver on loopback that verifies every signature with the public reference library."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from standardwebhooks import Webhook

from tests.support.loopback import served


@dataclass
class Receiver:
    """What arrived: how often each delivery id, its body and headers. Answers 200 unless told otherwise."""

    secret: str = ""
    url: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, dict[str, object]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    unverified: list[str] = field(default_factory=list)
    status: int = 200

    async def handle(self, request: web.Request) -> web.Response:
        """Verify, count, answer."""
        body = await request.read()
        identity = request.headers["webhook-id"]
        try:
            self.bodies[identity] = Webhook(self.secret).verify(body, dict(request.headers))
        except Exception as error:  # noqa: BLE001 - the library raises several kinds; each is a finding
            self.unverified.append(f"{identity}: {error!r}")
        self.headers[identity] = dict(request.headers)
        self.seen[identity] += 1
        return web.Response(status=self.status)


@asynccontextmanager
async def receiving(secret: str = "") -> AsyncIterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver(secret)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    async with served(app) as url:
        receiver.url = f"{url}/hook"
        yield receiver
