"""One call of one tool with the MCP SDK, over a wire of ours. The only module that imports the SDK.

It takes half a second and 30 MB to import, so the channel does that when the first delivery needs it. The SDK finds
out which protocol the server speaks: ``server/discover`` for the sessionless one of 2026-07-28, else ``initialize``.
The result's schema is not checked: that takes a further request, after the tool has done its work.
"""

import logging

import anyio
import httpx2
from mcp.client import Client, ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    HEADER_MISMATCH,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    PaginatedRequestParams,
    TextContent,
)
from pydantic import ValidationError

from agentauri import __version__
from agentauri.channels.guard import GuardedClient
from agentauri.channels.mcp_outcome import Answer, Call
from agentauri.channels.mcp_wire import Wire

MAX_TOOL_PAGES = 10

logging.getLogger("mcp").setLevel(logging.CRITICAL)  # what a tenant's server does is no news for the operator's log


async def call_tool(client: GuardedClient, call: Call, seconds: float) -> tuple[Wire, Answer]:
    """Call within ``seconds``. Whatever happens is in the answer or on the wire."""
    wire, answer = Wire(client), Answer()
    try:
        with anyio.fail_after(seconds):
            await _converse(wire, call, answer)
    except TimeoutError as error:
        wire.error = wire.error or error
    except Exception as error:  # noqa: BLE001 - the SDK raises groups of anything; what is in them decides
        if answer.result is None:
            _read_error(error, answer)
    return wire, answer


async def _converse(wire: Wire, call: Call, answer: Answer) -> None:
    async with httpx2.AsyncClient(
        transport=wire, headers=dict(call.headers), timeout=None, trust_env=False, max_redirects=0
    ) as http:
        client = Client(
            streamable_http_client(call.url, http_client=http),
            client_info=Implementation(name="AgentAuri", version=__version__),
            cache=None,
        )
        async with client:
            answer.protocol = client.protocol_version
            result = await _call(client.session, call)
            answer.is_error = result.is_error
            answer.text = " ".join(part.text for part in result.content if isinstance(part, TextContent))
            answer.result = result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _call(session: ClientSession, call: Call) -> CallToolResult:
    params = CallToolRequestParams.model_validate(
        {"name": call.tool, "arguments": call.arguments, "_meta": dict(call.meta)}
    )
    request = CallToolRequest(params=params)
    try:
        return await session.send_request(request, CallToolResult)
    except MCPError as error:
        if error.code != HEADER_MISMATCH:
            raise
        await _list_tool(session, call.tool)
        return await session.send_request(request, CallToolResult)


async def _list_tool(session: ClientSession, name: str) -> None:
    """Let the session learn which arguments the tool wants in headers, too."""
    cursor: str | None = None
    for _ in range(MAX_TOOL_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        cursor = page.next_cursor
        if cursor is None or any(tool.name == name for tool in page.tools):
            return


def _read_error(error: BaseException, answer: Answer) -> None:
    """The JSON-RPC error inside whatever the SDK raised, or that it could make nothing of the answer."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        answer.code, answer.message = error.code, error.message
    elif isinstance(error, ValidationError):
        answer.nonsense = "the result is not that of a tool's call."
    else:
        answer.nonsense = f"{type(error).__name__}: {error}"
