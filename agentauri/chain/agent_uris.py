"""Asking a chain where an agent's registration file is, for agents that were registered before what was indexed.

An agent that does not exist is an answer. Nothing is remembered (``asking.py``): callers keep answers.
"""

from collections.abc import Iterable

from agentauri.chain import abi
from agentauri.chain.asking import Nodes
from agentauri.chain.erc1271 import unhex
from agentauri.chain.registries import IdentityRegistry

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
        urls = {chain_id: registry.rpc_urls for chain_id, registry in self._registries.items()}
        self._nodes = Nodes(urls, answer_seconds=ANSWER_SECONDS, max_bytes=MAX_ANSWER_BYTES)

    async def find(self, chain_id: int, agent_id: int) -> str | None:
        """The URI of an agent; None when it does not exist, or the chain cannot be asked from here.

        Raises RpcUnavailable when none of the chain's providers gives an answer.
        """
        registry = self._registries.get(chain_id)
        if registry is None or not 0 <= agent_id < 2**256:
            return None
        call = {"to": registry.address, "data": "0x" + (TOKEN_URI + agent_id.to_bytes(abi.WORD)).hex()}
        return await self._nodes.first(chain_id, lambda node: node.run(_read_uri, call), ASK_SECONDS)

    async def close(self) -> None:
        """Close all connections."""
        await self._nodes.close()


def _read_uri(answer: object) -> str | None:
    """The text in the result of the call; None where there is no contract. Raises DecodeError."""
    data = unhex(answer)
    return abi.tail(data, 0, abi.WORD).decode(errors="replace") if data else None
