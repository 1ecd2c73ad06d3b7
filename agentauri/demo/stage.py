"""Where the demo's events happen: on a real EVM node with the emitter contract, or, without npm, in the table itself.

Both tell the same story (story.py); what watches and evaluates it is the real service either way.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from agentauri.chain.rpc import Rpc
from agentauri.config import Chain
from agentauri.demo import anvil, emitter, story
from agentauri.demo.emitter import Emitter
from agentauri.demo.simulator import CONTRACTS
from agentauri.models.event import Registry
from agentauri.models.log import DecodedLog
from agentauri.store import database, events

POLL_MS = 200
BEAT_SECONDS = 0.4
"""Between two transactions: a pace that eyes can follow."""
SIMULATED_CHAIN_ID = 1337
FIRST_AGENT = 0
"""The contract counts from here."""


class Stage(Protocol):
    """Where events happen."""

    chain_id: int
    chains: tuple[Chain, ...]
    note: str

    async def tell(self, database_url: str) -> list[int]:
        """Make the story's events happen, in order; returns the ids of its agents."""


class OnChain:
    """The emitter contract on a local node, once for each registry."""

    note = "events: transactions on a local EVM node (anvil)"

    def __init__(self, url: str) -> None:
        self.chain_id = anvil.CHAIN_ID
        self._url = url
        self._identity, self._reputation, validation = asyncio.run(self._deploy())
        self.chains: tuple[Chain, ...] = (
            Chain(
                name="anvil",
                id=self.chain_id,
                rpc_urls=(url,),
                poll_interval_ms=POLL_MS,
                confirmations=0,
                identity=self._identity,
                reputation=self._reputation,
                validation=validation,
            ),
        )

    async def _deploy(self) -> tuple[str, str, str]:
        async with _rpc(self._url) as rpc:
            made = [(await Emitter.deploy(rpc)).address for _ in Registry]
        return made[0], made[1], made[2]

    async def tell(self, database_url: str) -> list[int]:
        """See Stage; every event is a transaction of its own."""
        async with _rpc(self._url) as rpc:
            account, *clients = await emitter.accounts(rpc)
            identity = Emitter(rpc, self._identity, account)
            for number in range(story.AGENTS):
                await identity.send([emitter.register(f"https://agent-{number}.example/card.json")])
                await asyncio.sleep(BEAT_SECONDS)
            agents = [FIRST_AGENT + number for number in range(story.AGENTS)]
            for number, one in enumerate(story.FEEDBACK):
                reputation = Emitter(rpc, self._reputation, clients[number % len(clients)])
                await reputation.send([emitter.give_feedback(agents[one.agent], one.score, tag1=one.tag)])
                await asyncio.sleep(BEAT_SECONDS)
        return agents


class Simulated:
    """Rows as an indexer would have written them."""

    note = "npm was not found, so there is no EVM node: the events are simulated (install npm and run again)"
    chain_id = SIMULATED_CHAIN_ID
    chains: tuple[Chain, ...] = ()

    async def tell(self, database_url: str) -> list[int]:
        """See Stage; every event is a transaction of its own."""
        agents = [FIRST_AGENT + number for number in range(story.AGENTS)]
        pool = await database.open_pool(database_url, size=1, name="demo")
        try:
            for number, log in enumerate(self._logs(agents)):
                async with pool.acquire() as connection, connection.transaction():
                    await events.append(connection, self.chain_id, [_placed(log, number)])
                await asyncio.sleep(BEAT_SECONDS)
        finally:
            await pool.close()
        return agents

    def _logs(self, agents: list[int]) -> Iterator[tuple[Registry, str, int, dict[str, object]]]:
        for agent in agents:
            data: dict[str, object] = {
                "agent_uri": f"https://agent-{agent}.example/card.json",
                "owner": _address(agent),
            }
            yield Registry.IDENTITY, "Registered", agent, data
        for number, one in enumerate(story.FEEDBACK):
            yield Registry.REPUTATION, "NewFeedback", agents[one.agent], _feedback(number, one)


def _feedback(number: int, one: story.Feedback) -> dict[str, object]:
    return {
        "client_address": _address(100 + number),
        "feedback_index": 1,
        "value": str(one.score),
        "value_decimals": 0,
        "score": str(one.score),
        "tag1": one.tag,
        "tag2": "",
        "endpoint": "",
        "feedback_uri": "",
        "feedback_hash": "0x" + "00" * 32,
    }


def _address(number: int) -> str:
    return "0x" + sha256(str(number).encode()).hexdigest()[:40]


def _placed(log: tuple[Registry, str, int, dict[str, object]], number: int) -> DecodedLog:
    registry, event_type, agent, data = log
    block, transaction = ("0x" + sha256(f"{kind} {number}".encode()).hexdigest() for kind in ("block", "transaction"))
    now = int(time.time())
    return DecodedLog(registry, event_type, agent, CONTRACTS[registry], number, block, now, transaction, 0, data)


@asynccontextmanager
async def _rpc(url: str) -> AsyncIterator[Rpc]:
    rpc = Rpc(url)
    try:
        yield rpc
    finally:
        await rpc.close()


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """The best stage that there is on this machine."""
    if anvil.missing() is not None:
        yield Simulated()
        return
    with anvil.running(folder) as node:
        yield OnChain(node.url)
