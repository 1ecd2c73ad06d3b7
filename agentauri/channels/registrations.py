"""Where an agent's MCP server is: the ``MCP`` service in its registration file (ERC-8004), found through its URI.

The file is fetched through the outbound guard, and the address is kept for a minute, so a change is followed soon and
an agent with many events is asked seldom. What is wrong with a file is said so that its owner can mend it.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from agentauri.channels.files import Files
from agentauri.errors import Unobtainable
from agentauri.models.place import parse_place

KEPT_SECONDS = 60.0
KEPT_AGENTS = 10_000
SERVICE = "mcp"
LISTS = ("services", "endpoints")
"""The list's name in the standard, and in its earlier drafts."""

UriOf = Callable[[int, int], Awaitable[str | None]]
"""The URI of an agent, by chain and id; None when there is no such agent. Raises Unobtainable."""


class Endpoints:
    """Finds agents' servers. ``now``: seconds of a steady clock."""

    def __init__(self, files: Files, uri_of: UriOf, now: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._uri_of = uri_of
        self._now = now
        self._kept: OrderedDict[tuple[int, int], tuple[float, str]] = OrderedDict()

    async def find(self, chain_id: int, agent_id: int) -> str:
        """The address of the agent's MCP server. Raises Unobtainable and what ``Files.fetch`` raises."""
        key, now = (chain_id, agent_id), self._now()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        uri = await self._uri_of(chain_id, agent_id)
        if not uri:
            what = "is not known here" if uri is None else "has no registration file: its URI is empty"
            raise Unobtainable(f"agent {agent_id} of chain {chain_id} {what}.")
        endpoint = mcp_endpoint((await self._files.fetch(uri.strip())).content)
        self._kept[key] = (now + KEPT_SECONDS, endpoint)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_AGENTS:
            self._kept.popitem(last=False)
        return endpoint

    def forget(self, chain_id: int, agent_id: int) -> None:
        """The server did not do what was asked: look the address up again next time."""
        self._kept.pop((chain_id, agent_id), None)


def mcp_endpoint(content: bytes) -> str:
    """The address of the MCP service in a registration file. Raises Unobtainable."""
    try:
        file: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Unobtainable("the agent's registration file is not JSON.") from error
    if not isinstance(file, dict):
        raise Unobtainable("the agent's registration file is not a JSON object.")
    lists = [file[name] for name in LISTS if isinstance(file.get(name), list)]
    if not lists:
        raise Unobtainable("the agent's registration file has no list of services.")
    services = [one for some in lists for one in some if isinstance(one, dict)]
    named = [one for one in services if isinstance(one.get("name"), str) and one["name"].strip().lower() == SERVICE]
    if not named:
        raise Unobtainable("the agent's registration file names no MCP service.")
    endpoint = named[0].get("endpoint")
    if not isinstance(endpoint, str) or not endpoint.strip():
        raise Unobtainable("the MCP service in the agent's registration file has no endpoint.")
    try:
        parse_place(endpoint.strip())
    except ValueError as error:
        raise Unobtainable(f"the MCP endpoint in the agent's registration file cannot be called: {error}") from error
    return endpoint.strip()
