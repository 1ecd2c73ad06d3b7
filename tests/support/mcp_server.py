"""MCP servers on loopback, built with the SDK: tools that do, fail and hang; of today's protocol or an old one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

START_SECONDS = 10.0
OLD_VERSION = "2025-11-25"


@dataclass
class McpServer:
    """What arrived. ``calls``: tool, arguments and ``_meta`` of each call that a tool saw."""

    port: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    token: str | None = None
    is_old: bool = False
    error: tuple[int, int] | None = None
    """HTTP status and JSON-RPC code of the answer to every call."""

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}/mcp"

    def methods(self) -> list[str]:
        """HTTP method and JSON-RPC method of each request, in order."""
        return [f"{method} {body['method']}" if body else method for method, _, body in self.requests]


def _tools(server: MCPServer, seen: McpServer) -> None:
    @server.tool(name="agent.receiveFeedback")
    def receive(score: float, tag1: str = "", fileContent: Any = None) -> str:
        seen.calls.append(("agent.receiveFeedback", {"score": score, "tag1": tag1, "fileContent": fileContent}))
        return "thank you"

    @server.tool(name="agent.receiveValidation")
    def receive_validation(response: int | None = None, fileContent: Any = None) -> str:
        seen.calls.append(("agent.receiveValidation", {"response": response, "fileContent": fileContent}))
        return "thank you"

    @server.tool(name="anything")
    def anything(context: Context) -> str:
        """Takes no arguments of its own."""
        seen.calls.append(("anything", {}))
        return "ok"

    @server.tool(name="fails")
    def fails() -> str:
        seen.calls.append(("fails", {}))
        raise ToolError("no room for more\x00\x1b[31m")

    @server.tool(name="crashes")
    def crashes() -> str:
        seen.calls.append(("crashes", {}))
        raise RuntimeError("a secret of the server")

    @server.tool(name="hangs")
    async def hangs() -> str:
        seen.calls.append(("hangs", {}))
        await asyncio.sleep(30)
        return "late"

    @server.tool(name="long")
    def long() -> str:
        seen.calls.append(("long", {}))
        return "x" * 2 * 2**20

    @server.tool(name="typed")
    def typed() -> dict[str, int]:
        """Declares a schema of its result."""
        seen.calls.append(("typed", {}))
        return {"a": 1}


class _Front:
    """Notes every request; asks for the token; behaves as a server from before 2026-07-28 where it is one."""

    def __init__(self, app: ASGIApp, seen: McpServer) -> None:
        self._app, self._seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        parsed = orjson.loads(body) if body else None
        self._seen.requests.append((scope["method"], headers, parsed))
        refusal = self._refusal(headers, parsed or {})
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        given = False

        async def again() -> Any:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)

    def _refusal(self, headers: dict[str, str], message: dict[str, Any]) -> Response | None:
        if self._seen.error is not None and message.get("method") == "tools/call":
            status, code = self._seen.error
            error = {"code": code, "message": "as the test wants"}
            return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error}, status)
        if self._seen.token is not None and headers.get("authorization") != f"Bearer {self._seen.token}":
            return Response("who are you?", 401)
        if self._seen.is_old and headers.get("mcp-protocol-version", OLD_VERSION) > OLD_VERSION:
            error = {"code": -32000, "message": "Bad Request: Unsupported protocol version"}
            return JSONResponse({"jsonrpc": "2.0", "id": "server-error", "error": error}, 400)
        return None


@contextmanager
def mcp_server(*, token: str | None = None, is_old: bool = False, json_response: bool = False) -> Iterator[McpServer]:
    """A server in a thread of its own."""
    seen = McpServer(token=token, is_old=is_old)
    built = MCPServer("tests")
    _tools(built, seen)
    app = _Front(built.streamable_http_app(json_response=json_response), seen)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # from now on a connection waits instead of being refused
        seen.port = listening.getsockname()[1]
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)
