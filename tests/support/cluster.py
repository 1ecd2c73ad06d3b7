"""The whole path on Ray for a test: its supervisor, its actors by name, and SIGKILL for any of them."""

import asyncio
import os
import signal
from typing import Any

from pydantic import SecretStr

from agentauri.actors import handles
from agentauri.actors.supervisor import Supervisor
from agentauri.config import Actors, Chain, Settings, Stores
from tests.support.waiting import eventually

SECRET_KEY = "0123456789abcdef" * 4
ANSWER_SECONDS = 30.0


class PathOnRay:
    """Actors of one namespace, run by a supervisor in this process."""

    def __init__(self, database_url: str, redis_url: str, namespace: str, chains: tuple[Chain, ...] = ()) -> None:
        self.namespace = namespace
        self.settings = Settings(
            environment="test",
            secret_key=SecretStr(SECRET_KEY),
            stores=Stores(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url)),
            actors=Actors(evaluators=2, deliverers_min=2, deliverers_max=2),
            chains=chains,
        )
        self.supervisor = Supervisor(self.settings, namespace)
        self.kills: dict[str, int] = {}

    async def start(self) -> None:
        """Every actor up and at work."""
        await self.supervisor.start()
        for name in self.names:
            await self.pid(name)

    @property
    def names(self) -> list[str]:
        """All actors of the path."""
        indexers = [handles.indexer_name(chain.id) for chain in self.settings.chains]
        evaluators = [handles.evaluator_name(number) for number in range(2)]
        return [*indexers, handles.LISTENER, *evaluators, *(handles.deliverer_name(number) for number in range(2))]

    async def ask(self, name: str, method: str) -> Any:
        """An actor's answer, None while it is away."""
        return await handles.ask(name, method, self.namespace)

    async def pid(self, name: str, other_than: int = 0) -> int:
        """The process of an actor that answers."""

        async def new() -> int:
            about = await self.ask(name, "about")
            return about["pid"] if about and about["pid"] != other_than else 0

        return await eventually(new, seconds=ANSWER_SECONDS)

    async def kill(self, name: str) -> None:
        """SIGKILL its process, and wait until Ray has brought it back."""
        pid = await self.pid(name)
        os.kill(pid, signal.SIGKILL)
        kind = name.split("-")[0]
        self.kills[kind] = self.kills.get(kind, 0) + 1
        await self.pid(name, other_than=pid)

    async def stop(self) -> None:
        """End every actor."""
        await self.supervisor.drain()


async def kill_at_random(path: PathOnRay, dice: Any, rounds: int) -> None:
    """In each round kill one actor of every kind, each at its own random moment, at the same time."""
    kinds: dict[str, list[str]] = {}
    for name in path.names:
        kinds.setdefault(name.split("-")[0], []).append(name)

    async def kill_later(names: list[str]) -> None:
        await asyncio.sleep(dice.random())
        await path.kill(dice.choice(names))

    for _ in range(rounds):
        await asyncio.gather(*(kill_later(names) for names in kinds.values()))
