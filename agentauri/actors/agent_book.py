"""Where agents' registration files are: as the log says last, else as the chain says, for agents older than the log.

One connection for all questions, one question at a time: each is a step in an index, and channels keep the answers.
What cannot be asked now is worth another attempt, and says no more to tenants than that. What asks chains takes a
quarter of a second and 17 MB to import, so that is done when the first agent is not in the log.
"""

import asyncio
import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from agentauri import logs
from agentauri.chain.registries import IdentityRegistry, watch
from agentauri.config import Chain
from agentauri.errors import RpcUnavailable, Unobtainable
from agentauri.models.event import Registry
from agentauri.store import agents
from agentauri.store.held import TRY_AGAIN, Held

if TYPE_CHECKING:
    from agentauri.chain.agent_uris import AgentUris

ASKING_MODULE = "agentauri.chain.agent_uris"

log = logs.get("agents")


def identity_registries(chains: Iterable[Chain]) -> Iterator[IdentityRegistry]:
    """Where deliverers may ask about agents that are older than the log."""
    for chain in chains:
        watched = watch(**chain.model_dump())
        for address, registry in watched.registries.items():
            if registry is Registry.IDENTITY:
                yield IdentityRegistry(chain.id, address, watched.rpc_urls)


class AgentBook:
    """See the module."""

    def __init__(self, held: Held, registries: Sequence[IdentityRegistry]) -> None:
        self._held = held
        self._registries = registries
        self._chains: AgentUris | None = None
        self._turn = asyncio.Lock()

    async def uri_of(self, chain_id: int, agent_id: int) -> str | None:
        """The URI of an agent, which may be empty; None when there is no such agent. Raises Unobtainable."""
        try:
            async with self._turn:
                found = await agents.find_agent_uri(await self._held.get(), chain_id, agent_id)
        except TRY_AGAIN as error:
            self._held.drop()
            log.warning("agent_not_read", chain=chain_id, agent=str(agent_id), error=repr(error))
            raise Unobtainable("the log of events cannot be read now.", is_final=False) from error
        if found is not None or all(registry.chain_id != chain_id for registry in self._registries):
            return found
        try:
            return await (await self._asking()).find(chain_id, agent_id)
        except RpcUnavailable as error:
            log.warning("agent_not_asked", chain=chain_id, agent=str(agent_id), why=error.message)
            say = f"chain {chain_id} cannot be asked now where the registration file of agent {agent_id} is."
            raise Unobtainable(say, is_final=False) from error

    async def close(self) -> None:
        """Close every connection."""
        if self._chains is not None:
            await self._chains.close()
        await self._held.close()

    async def _asking(self) -> "AgentUris":
        module = await asyncio.to_thread(importlib.import_module, ASKING_MODULE)
        if self._chains is None:
            self._chains = module.AgentUris(self._registries)
        return self._chains
