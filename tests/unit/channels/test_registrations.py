"""Where registration files say that an agent's MCP server is, and what is said of those that do not."""

from typing import Any

import orjson
import pytest

from agentauri.channels.files import Fetched
from agentauri.channels.registrations import KEPT_SECONDS, Endpoints, mcp_endpoint
from agentauri.errors import Unobtainable

MCP = {"name": "MCP", "endpoint": "https://agent.example/mcp", "version": "2025-06-18"}
A2A = {"name": "A2A", "endpoint": "https://agent.example/.well-known/agent-card.json"}


@pytest.mark.parametrize(
    "file", [{"services": [A2A, MCP]}, {"endpoints": [A2A, MCP]}, {"services": [None, 5, {}, {**MCP, "name": " mcp "}]}]
)
def test_mcp_service_is_found(file: dict[str, Any]) -> None:
    assert mcp_endpoint(orjson.dumps({"type": "…", "name": "x", **file})) == MCP["endpoint"]


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"<html>", "not JSON"), (b"[]", "not a JSON object"), (b"{}", "no list of services"),
        (b'{"services": "MCP"}', "no list of services"), (orjson.dumps({"services": [A2A]}), "no MCP service"),
        (orjson.dumps({"services": [{"name": "MCP"}]}), "no endpoint"),
        (orjson.dumps({"services": [{"name": "MCP", "endpoint": "stdio:x"}]}), "cannot be called"),
        (orjson.dumps({"services": [{"name": "MCP", "endpoint": "https://u:p@x.example/"}]}), "cannot be called"),
    ],
)  # fmt: skip
def test_malformed_file_is_final_and_says_what_is_wrong(file: bytes, says: str) -> None:
    with pytest.raises(Unobtainable, match=says) as refused:
        mcp_endpoint(file)
    assert refused.value.is_final


class Source:
    """Stands in for the files and for what knows agents' URIs; counts."""

    def __init__(self, uri: str | None = "x:y") -> None:
        self.uri = uri
        self.fetched = 0

    async def fetch(self, uri: str) -> Fetched:
        self.fetched += 1
        return Fetched(orjson.dumps({"services": [MCP]}), is_bound=False)

    async def uri_of(self, chain_id: int, agent_id: int) -> str | None:
        return self.uri


async def test_address_is_kept_for_a_minute_or_until_it_fails() -> None:
    source, now = Source(), 0.0
    endpoints = Endpoints(source, source.uri_of, now=lambda: now)  # type: ignore[arg-type]  # fetch is all it needs
    for _ in range(3):
        assert await endpoints.find(1, 42) == MCP["endpoint"]
    assert source.fetched == 1
    now = KEPT_SECONDS
    await endpoints.find(1, 42)
    endpoints.forget(1, 42)
    await endpoints.find(1, 42)
    assert source.fetched == 3


@pytest.mark.parametrize(("uri", "says"), [(None, "not known here"), ("", "its URI is empty")])
async def test_agent_without_a_file_is_final(uri: str | None, says: str) -> None:
    source = Source(uri)
    endpoints = Endpoints(source, source.uri_of)  # type: ignore[arg-type]  # fetch is all it needs
    with pytest.raises(Unobtainable, match=says):
        await endpoints.find(1, 42)
