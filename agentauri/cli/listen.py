"""``agentauri listen``: a receiver on this machine that verifies what arrives and shows it, to try webhooks with.

Does what a receiver of one's own has to do: the signature is checked over the raw body before anything looks inside,
what is old is refused, and a repeat is recognised by its id. Listens on loopback alone; what is printed was written by
strangers and is made safe for the terminal.
"""

import asyncio
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from rich.console import Console
from rich.text import Text

from agentauri.channels.signatures import verifies
from agentauri.cli.console import say
from agentauri.cli.printable import printable
from agentauri.errors import ConfigError, StartError

TOLERANCE_SECONDS = 300
"""What was signed longer ago is refused, so that nobody plays back what they recorded."""
MAX_BODY_BYTES = 2**20
REMEMBERED = 10_000
MAX_SHOWN = 60
HOST = "127.0.0.1"
UNCHECKED = "no --secret is given: signatures are not checked, and whatever arrives is accepted."


@dataclass(frozen=True, slots=True)
class Heard:
    """One request. ``verified`` None: there was no secret to check it with. ``fault`` says why it was refused."""

    id: str
    verified: bool | None
    repeated: bool
    fault: str
    body: Any

    def to_json(self) -> dict[str, Any]:
        """As programs read it."""
        about = {"id": self.id, "verified": self.verified, "repeated": self.repeated}
        return {**about, "fault": self.fault or None, "body": self.body}


@dataclass
class Receiver:
    """Takes requests; every one is shown."""

    secrets: tuple[str, ...]
    status: int
    as_json: bool
    left: int | None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)

    async def handle(self, request: web.Request) -> web.Response:
        """Verify, show, answer."""
        heard = self._hear(request, await request.read())
        self._show(heard)
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.done.set()
        return web.Response(status=401 if heard.fault else self.status)

    def _hear(self, request: web.Request, body: bytes) -> Heard:
        identity = request.headers.get("webhook-id", "")
        fault = self._fault(request, body) if self.secrets else ""
        is_repeat = bool(identity) and identity in self.seen
        if not fault and identity:
            self.seen[identity] = None
            if len(self.seen) > REMEMBERED:
                self.seen.popitem(last=False)
        return Heard(identity, not fault if self.secrets else None, is_repeat, fault, _content(body))

    def _fault(self, request: web.Request, body: bytes) -> str:
        """What is wrong with its signature; "": nothing."""
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        if missing := [name for name in names if not request.headers.get(name)]:
            return f"there is no {missing[0]}"
        identity, stamp, signatures = (request.headers[name] for name in names)
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= len("9999999999")):
            return "webhook-timestamp is no number of seconds"
        if (age := abs(time.time() - int(stamp))) > TOLERANCE_SECONDS:
            return f"it was signed {age:.0f} s ago or ahead"
        if not any(verifies(secret, identity, stamp, body, signatures) for secret in self.secrets):
            return "no signature fits the secret"
        return ""

    def _show(self, heard: Heard) -> None:
        if self.as_json:
            sys.stdout.write(orjson.dumps(heard.to_json()).decode() + "\n")
            sys.stdout.flush()
        else:
            Console(highlight=False, soft_wrap=True).print(line(heard))


def line(heard: Heard) -> Text:
    """One request for people."""
    shown = Text(time.strftime("%H:%M:%S "), style="dim")
    mark, style = {True: ("verified", "green"), None: ("unchecked", "yellow"), False: ("refused", "red")}[
        heard.verified
    ]
    shown.append(f"{mark:<9} ", style=style)
    body = heard.body if isinstance(heard.body, dict) else {}
    shown.append(printable(body.get("type", "")) + " ", style="bold")
    shown.append(printable(heard.id or "without an id"))
    if heard.fault:
        return shown.append(f" {printable(heard.fault)}", style="red")
    if heard.repeated:
        shown.append(" repeat", style="yellow")
    if body.get("test") is True:
        shown.append(" test", style="cyan")
    if not body:
        return shown.append(f" {printable(heard.body, MAX_SHOWN)}")
    return shown.append(_told(body), style="dim")


def _told(body: dict[str, Any]) -> str:
    """What the standard envelope says, or the beginning of another body."""
    data = body.get("data")
    event = data.get("event") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(event, dict):
        return f" {printable(body, MAX_SHOWN)}"
    trigger = data.get("trigger")
    name = trigger.get("name") if isinstance(trigger, dict) else ""
    parts = [repr(printable(name, MAX_SHOWN)), printable(event.get("event_type"))]
    parts += [f"chain {printable(event.get('chain_id'))}", f"agent {printable(event.get('agent_id'))}"]
    values = event.get("data")
    if isinstance(values, dict):
        parts += [
            f"{name}={printable(values[name], MAX_SHOWN)}" for name in ("score", "tag1", "response") if values.get(name)
        ]
    return " " + " ".join(parts)


def _content(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


def listen(port: int, secrets: tuple[str, ...], *, status: int, count: int | None, as_json: bool) -> None:
    """Serve until Ctrl-C, or until ``count`` requests have come. Raises ConfigError or StartError."""
    for secret in secrets:
        try:
            verifies(secret, "", "", b"", "")
        except ValueError:
            raise ConfigError("a secret is whsec_ or whpk_ with base64 after it, as it was shown once.") from None
    try:
        asyncio.run(_serve(port, secrets, status, count, as_json))
    except KeyboardInterrupt:
        pass  # the way to end it


async def _serve(port: int, secrets: tuple[str, ...], status: int, count: int | None, as_json: bool) -> None:
    receiver = Receiver(secrets, status, as_json, count)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise StartError(
                f"port {port} cannot be listened on: {error.strerror}; choose another by --port."
            ) from error
        say(f"listening on http://{HOST}:{runner.addresses[0][1]}/ ; end with Ctrl-C.")
        if not secrets:
            say(UNCHECKED)
        await receiver.done.wait()
    finally:
        await runner.cleanup()
