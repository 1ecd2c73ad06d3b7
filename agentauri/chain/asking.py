"""Asking a chain something now and then, beside what is indexed: its providers in their order until one answers.

Each must name the right chain id first. However many there are, a question ends in bounded time. No failure is held
against a provider, and nothing that it said is remembered; that a contract's own code failed is an answer.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from agentauri.chain.decoder import quantity
from agentauri.chain.providers import understood
from agentauri.chain.rpc import Rpc
from agentauri.errors import RpcError, RpcUnavailable

REVERT_CODES = frozenset({3, -32015})
REVERTED = re.compile(
    r"revert|out ?of ?gas|opcode|bad instruction|jump ?dest|stack ?(under|over)flow|vm execution error", re.IGNORECASE
)
"""How nodes say that the code itself failed; each has words of its own."""

T = TypeVar("T")


class Node:
    """One provider. Whatever is asked of it raises RpcError where there is no answer to be used."""

    def __init__(self, url: str, chain_id: int, *, answer_seconds: float, max_bytes: int) -> None:
        self._rpc = Rpc(url, answer_seconds=answer_seconds, max_bytes=max_bytes)
        self._chain_id = chain_id
        self._admitted = False

    async def ask(self, read: Callable[[object], T], method: str, *params: object) -> T:
        """What ``read`` makes of the result of one call."""
        await self._admit()
        return understood(read, await self._rpc.ask(method, *params))

    async def run(self, read: Callable[[object], T], call: dict[str, str]) -> T | None:
        """What ``read`` makes of what code answers to eth_call; None: the code failed."""
        await self._admit()
        try:
            answer = await self._rpc.ask("eth_call", call, "latest")
        except RpcError as error:
            if error.code in REVERT_CODES or REVERTED.search(error.message):
                return None
            raise
        return understood(read, answer)

    async def close(self) -> None:
        """Close its connections."""
        await self._rpc.close()

    async def _admit(self) -> None:
        """Make sure that it serves the right chain, once."""
        if self._admitted:
            return
        found = understood(quantity, {"eth_chainId": await self._rpc.ask("eth_chainId")}, "eth_chainId")
        if found != self._chain_id:
            raise RpcError(f"{self._rpc.label} serves chain {found}, not {self._chain_id}")
        self._admitted = True


class Nodes:
    """The providers of all chains, by chain id. Make it inside the event loop that uses it, and close it when done."""

    def __init__(self, urls: Mapping[int, Sequence[str]], *, answer_seconds: float, max_bytes: int) -> None:
        self._urls = urls
        self._answer_seconds = answer_seconds
        self._max_bytes = max_bytes
        self._nodes: dict[int, list[Node]] = {}

    async def first(self, chain_id: int, question: Callable[[Node], Awaitable[T]], seconds: float) -> T:
        """The first answer that a provider of the chain gives, all together within ``seconds``.

        Raises RpcUnavailable with everybody's reasons when none does.
        """
        reasons: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                for node in self._of(chain_id):
                    try:
                        return await question(node)
                    except RpcError as error:
                        reasons.append(error.message)
        except TimeoutError:
            reasons.append(f"no answer within {seconds:g} s")
        raise RpcUnavailable(f"no provider of chain {chain_id} can be asked ({'; '.join(reasons)})")

    async def close(self) -> None:
        """Close all connections."""
        for nodes in self._nodes.values():
            for node in nodes:
                await node.close()

    def _of(self, chain_id: int) -> list[Node]:
        if chain_id not in self._nodes:
            self._nodes[chain_id] = [
                Node(url, chain_id, answer_seconds=self._answer_seconds, max_bytes=self._max_bytes)
                for url in self._urls[chain_id]
            ]
        return self._nodes[chain_id]
