"""A chain that does what a test wants, and nodes of it that answer well, badly, or not at all.

For misbehaviour only: how a real node behaves is tested with anvil. ``FakeChain`` holds blocks with logs and can be
forked; ``FakeNode`` serves it over JSON-RPC on loopback. ``node.twist[method]`` changes or replaces an answer.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from agentauri.chain.headers import bloom_mask
from tests.support.loopback import served

CHAIN_ID = 31337
IDENTITY, REPUTATION = "0x" + "1d" * 20, "0x" + "2e" * 20
METADATA_UPDATE = "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7"
GENESIS_TIME = 1_790_000_000


def digest(*parts: object) -> str:
    """Some hash."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass
class Block:
    """A block and its logs."""

    number: int
    hash: str
    parent: str
    logs: list[dict[str, Any]]

    def header(self) -> dict[str, Any]:
        """As eth_getBlockByNumber answers."""
        bloom = 0
        for log in self.logs:
            bloom |= bloom_mask(log["address"])
        return {
            "number": hex(self.number),
            "hash": self.hash,
            "parentHash": self.parent,
            "timestamp": hex(GENESIS_TIME + self.number),
            "logsBloom": f"0x{bloom:0512x}",
        }


class FakeChain:
    """Blocks from 0; ``mine`` adds some, ``reorg`` replaces the newest."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._fork = 0
        self.mine(0)

    @property
    def head(self) -> int:
        """Number of the newest block."""
        return len(self.blocks) - 1

    def mine(self, *counts: int, address: str = IDENTITY) -> None:
        """One block for each number, with so many logs of agents 0, 1, 2…"""
        for count in counts:
            number = len(self.blocks)
            parent = self.blocks[-1].hash if self.blocks else digest("before")
            block = Block(number, digest(self._fork, number, parent, count), parent, [])
            block.logs = [self._log(block, index, address) for index in range(count)]
            self.blocks.append(block)

    def _log(self, block: Block, index: int, address: str) -> dict[str, Any]:
        return {
            "address": address,
            "topics": [METADATA_UPDATE],
            "data": f"0x{index:064x}",
            "blockNumber": hex(block.number),
            "blockHash": block.hash,
            "blockTimestamp": hex(GENESIS_TIME + block.number),
            "transactionHash": digest("transaction", block.hash, index),
            "logIndex": hex(index),
            "removed": False,
        }

    def reorg(self, depth: int, *counts: int) -> None:
        """Drop the newest ``depth`` blocks and mine others."""
        del self.blocks[len(self.blocks) - depth :]
        self._fork += 1
        self.mine(*counts)

    def copy(self) -> "FakeChain":
        """The same blocks so far; what is mined later differs in hashes if this one is on another fork."""
        other = FakeChain()
        other.blocks = list(self.blocks)
        other._fork = self._fork + 1_000
        return other

    def log_keys(self) -> list[tuple[str, int]]:
        """(block hash, log index) of every log, in order."""
        return [(block.hash, int(log["logIndex"], 16)) for block in self.blocks for log in block.logs]


def uneven_chain(blocks: int = 30) -> FakeChain:
    """A chain whose blocks have 0 to 3 logs."""
    chain = FakeChain()
    chain.mine(*(number % 4 for number in range(1, blocks + 1)))
    return chain


class Refuse(Exception):
    """Raised by a twist: a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.error = {"code": code, "message": message}


Twist = Callable[[Sequence[Any], Any], Any]
"""(parameters, the right answer) → the answer that is given."""


@dataclass
class FakeNode:
    """A node of a chain. ``raw``, when set, replaces whole HTTP answers."""

    chain: FakeChain
    url: str = ""
    chain_id: int = CHAIN_ID
    late: int = 0
    """Blocks that it is behind."""
    finality: int = 8
    receipts: bool = True
    twist: dict[str, Twist] = field(default_factory=dict)
    raw: Callable[[], web.Response] | None = None
    hang: bool = False
    most_calls: int = 1_000
    """Calls in a batch that are not refused; ``refuses_whole``: by one error for all of them."""
    refuses_whole: bool = True
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One HTTP request."""
        body = orjson.loads(await request.read())
        self.asked += [call["method"] for call in (body if isinstance(body, list) else [body])]
        if self.hang:
            await asyncio.Event().wait()
        if self.raw is not None:
            return self.raw()
        answer: Any
        if isinstance(body, list) and len(body) > self.most_calls:
            error = {"code": -32600, "message": f"batch of more than {self.most_calls} requests"}
            answer = {"error": error} if self.refuses_whole else [{"id": one["id"], "error": error} for one in body]
        elif isinstance(body, list):
            answer = [self._answer(call) for call in body]
        else:
            answer = self._answer(body)
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def subscribe(self, request: web.Request) -> web.WebSocketResponse:
        """A WebSocket that ``announce`` speaks to."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            subscription = {"jsonrpc": "2.0", "id": orjson.loads(message.data)["id"], "result": "0x1"}
            await socket.send_str(orjson.dumps(subscription).decode())
            self.sockets.add(socket)
        self.sockets.discard(socket)
        return socket

    async def announce(self) -> None:
        """Tell every subscriber of the newest head."""
        head = {"subscription": "0x1", "result": self.chain.blocks[-1].header()}
        for socket in self.sockets:
            await socket.send_str(
                orjson.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": head}).decode()
            )

    def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        base = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            right = self._right(call["method"], call["params"])
            twist = self.twist.get(call["method"])
            return {**base, "result": twist(call["params"], right) if twist else right}
        except Refuse as refused:
            return {**base, "error": refused.error}

    def _right(self, method: str, params: Sequence[Any]) -> Any:
        head = self.chain.head - self.late
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_blockNumber":
                return hex(head)
            case "eth_getBlockByNumber":
                named = {"latest": head, "finalized": max(head - self.finality, 0)}
                number = named[params[0]] if params[0] in named else int(params[0], 16)
                return self.chain.blocks[number].header() if number <= head else None
            case "eth_getLogs":
                first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
                return [
                    log
                    for block in self.chain.blocks[first : min(last, head) + 1]
                    for log in block.logs
                    if log["address"] in params[0]["address"]
                ]
            case "eth_getBlockReceipts" if self.receipts:
                block = self.chain.blocks[int(params[0], 16)]
                return [{"blockHash": block.hash, "logs": block.logs}]
            case "eth_getCode" | "eth_call":
                return "0x"
        raise Refuse(-32601, f"the method {method} does not exist")


@asynccontextmanager
async def serving(*nodes: FakeNode) -> AsyncIterator[tuple[FakeNode, ...]]:
    """The nodes, each on a free loopback port, until the end of the block."""
    async with AsyncExitStack() as stack:
        for node in nodes:
            app = web.Application(client_max_size=16 * 2**20)
            app.router.add_post("/{tail:.*}", node.serve)
            app.router.add_get("/{tail:.*}", node.subscribe)
            node.url = await stack.enter_async_context(served(app, shutdown_seconds=0.1)) + "/"
        yield nodes
