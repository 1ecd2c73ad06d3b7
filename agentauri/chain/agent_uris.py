"""Asking a chain where an agent's registration file is, for agents that were registered before what was indexed.

Each configured provider is asked in its order until one answers; it must name the right chain id first. An agent that
does not exist is an answer. No failure is held against a provider, and nothing is remembered: callers keep answers.
"""

import asyncio
from collections.abc import Iterable, Sequence

from agentauri.chain import abi
from agentauri.chain.contract_wallets import REVERT_CODES, REVERTED
from agentauri.chain.decoder import quantity
from agentauri.chain.erc1271 import unhex
from agentauri.chain.providers import understood
from agentauri.chain.registries import IdentityRegistry
from agentauri.chain.rpc import Rpc
from agentauri.errors import RpcError, RpcUnavailable

ASK_SECONDS = 8.0
"""For one agent, all providers together."""
ANSWER_SECONDS = 4.0
MAX_ANSWER_BYTES = 2**21
"""A file of a few hundred kilobytes inside a data: URI, as hexadecimal digits."""
TOKEN_URI = bytes.fromhex("c87b56dd")
"""tokenURI(uint256)."""


class AgentUris:
    """The identity registries of all chains. Make it inside the event loop that uses it, and close it when done."""

    def __init__(self, registries: Iterable[IdentityRegistry]) -> None:
        self._registries = {registry.chain_id: registry for registry in registries}
        self._nodes: dict[int, list[_Node]] = {}

    async def find(self, chain_id: int, agent_id: int) -> str | None:
        """The URI of an agent; None when it does not exist, or the chain cannot be asked from here.

        Raises RpcUnavailable when none of the chain's providers gives an answer.
        """
        registry = self._registries.get(chain_id)
        if registry is None or not 0 <= agent_id < 2**256:
            return None
        reasons: list[str] = []
        try:
            async with asyncio.timeout(ASK_SECONDS):
                for node in self._of(chain_id, registry):
                    try:
                        return await node.uri(registry.address, agent_id)
                    except RpcError as error:
                        reasons.append(error.message)
        except TimeoutError:
            reasons.append(f"no answer within {ASK_SECONDS:g} s")
        raise RpcUnavailable(f"no provider of chain {chain_id} can be asked ({'; '.join(reasons)})")

    async def close(self) -> None:
        """Close all connections."""
        for nodes in self._nodes.values():
            for node in nodes:
                await node.close()

    def _of(self, chain_id: int, registry: IdentityRegistry) -> Sequence["_Node"]:
        if chain_id not in self._nodes:
            self._nodes[chain_id] = [_Node(url, chain_id) for url in registry.rpc_urls]
        return self._nodes[chain_id]


class _Node:
    """One provider."""

    def __init__(self, url: str, chain_id: int) -> None:
        self._rpc = Rpc(url, answer_seconds=ANSWER_SECONDS, max_bytes=MAX_ANSWER_BYTES)
        self._chain_id = chain_id
        self._admitted = False

    async def uri(self, registry: str, agent_id: int) -> str | None:
        """What the registry answers; None: it knows no such agent. Raises RpcError."""
        await self._admit()
        call = {"to": registry, "data": "0x" + (TOKEN_URI + agent_id.to_bytes(abi.WORD)).hex()}
        try:
            answer = await self._rpc.ask("eth_call", call, "latest")
        except RpcError as error:
            if error.code in REVERT_CODES or REVERTED.search(error.message):
                return None
            raise
        return understood(_read_uri, answer)

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


def _read_uri(answer: object) -> str | None:
    """The text in the result of the call; None where there is no contract. Raises DecodeError."""
    data = unhex(answer)
    return abi.tail(data, 0, abi.WORD).decode(errors="replace") if data else None
