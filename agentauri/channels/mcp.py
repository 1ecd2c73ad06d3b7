"""The channel of ``mcp`` actions: calls a tool of an MCP server, found by its address or in an agent's registration.

An attempt is everything that one call takes: the agent's registration file, the event's file and its check, and the
call, all behind the outbound guard and within one deadline, and it ends in exactly one outcome. What a failing file
leads to is never held against the server. However many agents name one host, it gets few calls at once: their lanes
know nothing of each other. The server learns the delivery's id in ``_meta`` and in headers, so that
it can tell a repeat.
"""

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import aiohttp
import orjson
from yarl import URL

from agentauri.channels import event_files
from agentauri.channels.addresses import Policy
from agentauri.channels.envelope import envelope, template_values
from agentauri.channels.excerpt import MESSAGE_BYTES, clean
from agentauri.channels.failures import classify
from agentauri.channels.files import MAX_FILE_BYTES, Files
from agentauri.channels.gates import Gates
from agentauri.channels.guard import GuardedClient
from agentauri.channels.kept import Kept
from agentauri.channels.mcp_outcome import Call, Sent, judged
from agentauri.channels.progress import traces
from agentauri.channels.registrations import Endpoints, UriOf
from agentauri.channels.request import USER_AGENT, mask_query
from agentauri.channels.templates import render_json
from agentauri.errors import Blocked, TemplateError, Unobtainable
from agentauri.models.action import MASK
from agentauri.models.delivery import Attempt, Claimed, Judgement, Outcome
from agentauri.models.mcp_action import TEMPLATES
from agentauri.models.place import parse_place
from agentauri.models.template import MAX_RESULT_BYTES, JsonTemplate, parse_json
from agentauri.models.template_names import FILE_CONTENT, is_known_in_mcp

SDK_MODULE = "agentauri.channels.mcp_call"
MAX_AGENT_DIGITS = 78
"""Of 2^256 - 1."""
MAX_RESOLVED_IN_FLIGHT = 8
"""Calls under way to one host that agents' registration files name, as many as a destination gets (protocol P22)."""
LEAST_CALL_SECONDS = 0.5
"""A call that would have less time than this is not begun: the server could not be blamed for it."""
METHOD = "tools/call"
NO_FILE = "No file that is needed came"
BUSY = f"The agent's server had {MAX_RESOLVED_IN_FLIGHT} other calls under way, and none of them ended"
META_ID = "agentauri/delivery-id"
META_TYPE = "agentauri/delivery-type"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled configuration. ``url`` None: each event's agent names its server. ``arguments`` None: the envelope."""

    url: str | None
    tool: str
    arguments: JsonTemplate
    token: str | None
    checks_file: bool
    gives_file: bool


class Mcp:
    """Calls tools. ``uri_of`` knows where agents' registration files are."""

    def __init__(
        self, client: GuardedClient, uri_of: UriOf, gateways: Sequence[str], now: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._files = Files(client, gateways, now)
        self._endpoints = Endpoints(self._files, uri_of)
        self._gates = Gates(MAX_RESOLVED_IN_FLIGHT)
        self._sdk: ModuleType | None = None
        self._prepared = Kept[Prepared](lambda one: prepare(one.config))

    @classmethod
    def open(cls, policy: Policy, uri_of: UriOf, gateways: Sequence[str]) -> "Mcp":
        """One with a client of its own. Needs a running event loop."""
        return cls(GuardedClient(policy, traces=traces()), uri_of, gateways)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def attempt(self, delivery: Claimed, seconds: float) -> Attempt:
        """Call once and say how it ended, within ``seconds``."""
        began = time.monotonic()
        try:
            prepared = self._prepared.of(delivery)
            async with asyncio.timeout(seconds):
                call = await self._make(delivery, prepared)
                if self._sdk is None:
                    self._sdk = await asyncio.to_thread(importlib.import_module, SDK_MODULE)
        except (TemplateError, Unobtainable, aiohttp.ClientError, OSError, Blocked, ValueError) as error:
            return _unmade(error, time.monotonic() - began, seconds)
        if prepared.url is not None:
            return await self._call(call, delivery, prepared, began, seconds)
        try:
            waits = max(0.0, _left(began, seconds) - LEAST_CALL_SECONDS)
            async with self._gates.enter(parse_place(call.url).host, waits):
                return await self._call(call, delivery, prepared, began, seconds)
        except TimeoutError as error:
            return _unmade(error, time.monotonic() - began, seconds, BUSY)

    async def _call(self, call: Call, delivery: Claimed, prepared: Prepared, began: float, seconds: float) -> Attempt:
        sent = Sent(self._kept(call), prepared.token, is_resolved=prepared.url is None)
        assert self._sdk is not None
        wire, answer = await self._sdk.call_tool(self._client, call, _left(began, seconds))
        attempt = judged(wire, answer, sent, time.monotonic() - began, seconds)
        if sent.is_resolved and attempt.outcome is not Outcome.SUCCESS:
            self._endpoints.forget(*_agent_of(delivery.context["event"]))
        return attempt

    async def _make(self, delivery: Claimed, prepared: Prepared) -> Call:
        """The call, with everything fetched that it needs."""
        url = prepared.url or await self._endpoints.find(*_agent_of(delivery.context["event"]))
        arguments = render_arguments(delivery, prepared, await self._content(delivery, prepared))
        identity = str(delivery.id)
        headers = {"User-Agent": USER_AGENT, "Idempotency-Key": identity, "X-AgentAuri-Delivery": identity}
        if prepared.token is not None:
            headers["Authorization"] = f"Bearer {prepared.token}"
        return Call(url, prepared.tool, arguments, headers, {META_ID: identity, META_TYPE: delivery.type.value})

    async def _content(self, delivery: Claimed, prepared: Prepared) -> str | None:
        if delivery.type.is_notice or not (prepared.checks_file or prepared.gives_file):
            return None
        event = delivery.context["event"]
        content = await event_files.verified_content(self._files, event, is_strict=prepared.checks_file)
        return content if prepared.gives_file else None

    def _kept(self, call: Call) -> dict[str, Any]:
        """What is kept of the request: no arguments, which a user may have put a secret into."""
        return {
            "method": METHOD,
            "tool": call.tool,
            "url": mask_query(URL(call.url, encoded=True)),
            "headers": {name: MASK if name == "Authorization" else value for name, value in call.headers.items()},
            "body_bytes": len(orjson.dumps(call.arguments)),
        }


def prepare(config: Mapping[str, Any]) -> Prepared:
    """Compile a checked configuration. Raises TemplateError or ValueError on one that was never checked."""
    source = next((config[name] for name in TEMPLATES if config.get(name) is not None), None)
    return Prepared(
        url=None if config.get("resolve_endpoint") else config["server_url"],
        tool=config["tool_name"],
        arguments=None if source is None else parse_json(source, is_known_in_mcp),
        token=config.get("auth_token"),
        checks_file=bool(config.get("verify_file_hash")),
        gives_file=bool(config.get("include_file_content")),
    )


def render_arguments(delivery: Claimed, prepared: Prepared, content: str | None) -> dict[str, Any]:
    """What the tool is given; ``content``: the event's file. Raises TemplateError.

    A notice is told by the envelope whatever the template: a template tells of a firing.
    """
    if delivery.type.is_notice or prepared.arguments is None:
        return envelope(delivery)
    values = {**template_values(delivery), FILE_CONTENT: content}
    most = MAX_RESULT_BYTES + (0 if content is None else MAX_FILE_BYTES)
    rendered = render_json(prepared.arguments, values, most)
    if not isinstance(rendered, dict):
        raise TemplateError("a tool takes an object of arguments.")
    return rendered


def _agent_of(event: Mapping[str, Any]) -> tuple[int, int]:
    """Chain and id of the agent that an event is about. Raises Unobtainable when it is about none."""
    data = event.get("data")
    found = event.get("agent_id")
    if found is None and isinstance(data, Mapping):
        found = data.get("agent_id")
    chain, agent = str(event.get("chain_id")), str(found)
    if not all(one.isascii() and one.isdigit() for one in (chain, agent)) or len(agent) > MAX_AGENT_DIGITS:
        raise Unobtainable("the event is about no agent, so no registration file names a server.")
    return int(chain), int(agent)


def _left(began: float, seconds: float) -> float:
    return max(0.0, seconds - (time.monotonic() - began))


def _unmade(error: Exception, took: float, seconds: float, late: str = NO_FILE) -> Attempt:
    """The attempt ended before the server was asked; ``late``: what a time-out means."""
    message = f"{late} within {seconds:g} s." if isinstance(error, TimeoutError) else str(error)
    judgement = None
    match error:
        case Unobtainable():
            message = error.message
            outcome = Outcome.REJECTED if error.status is None else Outcome.HTTP
            judgement = Judgement.FINAL if error.is_final else Judgement.RETRY
        case TemplateError():
            outcome = Outcome.REJECTED
        case _:
            outcome = classify(error)
    return Attempt(
        outcome=outcome,
        duration_seconds=took,
        http_status=error.status if isinstance(error, Unobtainable) else None,
        error_class=type(error).__name__,
        error_message=clean(message or type(error).__name__, MESSAGE_BYTES),
        retry_after=error.retry_after if isinstance(error, Unobtainable) else None,
        judged=judgement,
        aside=True,
    )
