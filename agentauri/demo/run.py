"""``agentauri demo``: the whole service and its story on this machine, from a transaction to a verified webhook.

Guarantees that it says what is missing when something is, and that everything it started is gone when it ends. Its
data live in a temporary folder.
"""

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

from agentauri.config import Settings, Stores
from agentauri.demo import story
from agentauri.demo.receiver import Receiver, receiving
from agentauri.demo.screen import Screen
from agentauri.demo.stage import Stage
from agentauri.demo.visitor import Visitor, visiting

ARRIVE_SECONDS = 30.0
"""After the last transaction: far more than anything should take."""
POLL_SECONDS = 0.1


def settings_for(settings: Settings, stage: Stage, folder: Path) -> Settings:
    """The demo's settings: its own data, embedded stores, and the stage's chain."""
    own = {"data_dir": folder, "stores": Stores(), "chains": stage.chains}
    return settings.model_copy(update=own)


def temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """Where the demo's data live while it runs."""
    return tempfile.TemporaryDirectory(prefix="agentauri-demo-")


async def show(api_url: str, database_url: str, stage: Stage, screen: Screen) -> list[str]:
    """Play the story against the running service; returns what is missing or wrong, one line each."""
    async with receiving(screen.arrived) as receiver, visiting(api_url) as visitor:
        await visitor.register()
        receiver.secret = visitor.webhook_secret
        screen.did("registered a user; every webhook will be signed for its organization")
        for body in story.triggers(stage.chain_id, receiver.url):
            screen.name(await visitor.create_trigger(body), body["name"])
            screen.did(f"created the trigger “{body['name']}”")
        screen.headline()
        watching = asyncio.create_task(_watch(visitor, screen))
        try:
            agents = await stage.tell(database_url)
            wanted = story.expected(agents)
            await _all_arrived(wanted, receiver)
            await asyncio.sleep(2 * POLL_SECONDS)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            screen.show()
        return _verdict(wanted, receiver)


def _arrived(receiver: Receiver) -> Counter[story.Arrival]:
    return Counter(story.arrival(body) for body in receiver.verified.values())


async def _all_arrived(wanted: Counter[story.Arrival], receiver: Receiver) -> None:
    """Wait until everything has arrived or time is up; the verdict tells which."""
    for _ in range(int(ARRIVE_SECONDS / POLL_SECONDS)):
        if wanted <= _arrived(receiver):
            return
        await asyncio.sleep(POLL_SECONDS)


async def _watch(visitor: Visitor, screen: Screen) -> None:
    """Show events and matches as the API tells of them, and webhooks once all that led to them has been told."""
    seen: set[str] = set()
    while True:
        asked = time.time()
        for event in await visitor.new_events():
            screen.event(event)
        for delivery in await visitor.deliveries():
            if delivery["id"] not in seen:
                seen.add(delivery["id"])
                screen.match(delivery)
        screen.show(asked)
        await asyncio.sleep(POLL_SECONDS)


def _verdict(wanted: Counter[story.Arrival], receiver: Receiver) -> list[str]:
    arrived = _arrived(receiver)
    missing = [f"did not arrive: {_say(one)}" for one in (wanted - arrived).elements()]
    extra = [f"should not have arrived: {_say(one)}" for one in (arrived - wanted).elements()]
    forged = [f"{receiver.refused} deliveries without a valid signature"] if receiver.refused else []
    return missing + extra + forged


def _say(arrival: story.Arrival) -> str:
    name, agent, score = arrival
    return f"“{name}” for agent {agent}" + ("" if score is None else f" at score {score}")


def count_expected() -> int:
    """How many deliveries the story has."""
    return sum(story.expected(list(range(story.AGENTS))).values())
