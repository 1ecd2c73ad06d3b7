"""Sends an action's sample to its receiver now, as a deliverer would: same rendering, signing and outbound guard.

Bounded in time and in number: a receiver that hangs holds a request of the API, never a connection to the database.
What is sent is no delivery of the trigger: it has no event and no row, is not counted, not repeated, and changes
neither the queue nor what deliverers know of the receiver. The answer is all that remains of it.
"""

import asyncio
from collections.abc import Mapping

from agentauri.actors.agent_book import AgentBook, identity_registries
from agentauri.channels.addresses import policy_of
from agentauri.channels.registry import Channel, Outside, open_channels
from agentauri.config import Settings
from agentauri.errors import RateLimited
from agentauri.models.action import ActionType
from agentauri.models.delivery import Attempt, Claimed
from agentauri.store import database
from agentauri.store.held import Held

AT_ONCE = 8
"""Tests under way in one replica: of what it can serve at once they take a small part."""
MAX_SECONDS = 20.0
"""A test waits at most this long for the receiver, whatever the action's own time-out."""
BUSY = "as many tests as may be are under way at this moment; try again in a few seconds."
BUSY_SECONDS = 5


class Trials:
    """One replica's tests; ``channels`` and ``agents`` are its own."""

    def __init__(self, channels: Mapping[ActionType, Channel], agents: AgentBook) -> None:
        self._channels, self._agents = channels, agents
        self._under_way = 0

    @classmethod
    def open(cls, settings: Settings) -> "Trials":
        """With channels as deliverers have them. Needs a running event loop."""
        url = settings.stores.database_url.get_secret_value()
        held = Held(lambda: database.connect(url, name="tests of actions"))
        agents = AgentBook(held, tuple(identity_registries(settings.chains)))
        policy = policy_of(settings.allowed_networks(), settings.high_ports())
        outside = Outside(
            policy,
            agents.uri_of,
            settings.outbound.ipfs_gateways,
            settings.telegram.api_base,
            settings.telegram.bot_token.get_secret_value(),
        )
        return cls(open_channels(outside), agents)

    async def send(self, delivery: Claimed, timeout_seconds: float) -> Attempt:
        """Try once and say how it ended. Raises RateLimited when as many are under way as may be."""
        if self._under_way >= AT_ONCE:
            raise RateLimited(BUSY, BUSY_SECONDS)
        self._under_way += 1
        try:
            return await self._channels[delivery.channel].attempt(delivery, min(timeout_seconds, MAX_SECONDS))
        finally:
            self._under_way -= 1

    async def close(self) -> None:
        """Close the channels."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))
        await self._agents.close()
