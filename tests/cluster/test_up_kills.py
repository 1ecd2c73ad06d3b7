"""``agentauri up`` under load, its processes killed one by one from outside: what the users are owed stays the same.

Everything is done as an operator and a user would: a chain in agentauri.toml, triggers over HTTP, a receiver, process
ids from ``agentauri status``. The seed decides who is killed when.
"""

import asyncio
import os
import random
import re
import signal
from collections import Counter
from typing import Any

import httpx2
import psutil
import pytest

from agentauri import local, processes
from agentauri.chain.rpc import Rpc
from agentauri.cli import run_file
from agentauri.demo.anvil import Anvil
from agentauri.demo.emitter import Emitter
from agentauri.demo.visitor import Visitor, visiting
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import database
from agentauri.store.database import Pool
from tests.support import outcome
from tests.support.receiver import Receiver, receiving
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE
from tests.support.up import Place, Up
from tests.support.waiting import eventually

SEED = 31337
ROUNDS = 5
REPLICAS = ("Api", "Control")
"""Killed in every other round; the actors of the path in each."""
ACTORS = 6
"""An indexer, a listener, two evaluators, two deliverers."""
BACK_SECONDS = 60.0
WORKER = re.compile(r"ray::(ServeReplica:\w+:(?P<replica>\w+)|(?P<actor>Indexer|Listener|Evaluator|Deliverer))")
AGENT = {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": 3}


def settings(anvil: Anvil, reputation: str) -> str:
    """What the operator writes."""
    return f"""
        [actors]
        deliverers_min = 2
        deliverers_max = 2
        [[chains]]
        name = "anvil"
        id = {anvil.chain_id}
        rpc_urls = ["{anvil.url}"]
        poll_interval_ms = 100
        identity = ""
        reputation = "{reputation}"
        """


def triggers(url: str) -> list[dict[str, Any]]:
    """What the user wants to hear of: one of each kind that matters here."""
    action = {"action_type": "rest", "config": {"url": url, "timeout_seconds": 2}}
    return [
        {"name": "low", "conditions": [LOW_SCORE], "actions": [action, action]},
        {"name": "agent", "conditions": [AGENT, LOW_SCORE], "actions": [action]},
        {"name": "average", "conditions": [EMA_LOW], "fire": "on_change", "actions": [action]},
        {"name": "burst", "conditions": [LOW_SCORE, BURST], "cooldown_seconds": 5, "actions": [action]},
    ]


class Killer:
    """SIGKILL for single processes of a service, and what is back."""

    def __init__(self, service: Up, here: Place, dice: random.Random) -> None:
        self.kills: Counter[str] = Counter()
        self._service, self._here, self._dice = service, here, dice

    async def actors(self, wanted: int) -> dict[str, int]:
        """Process by name, as ``agentauri status`` has it, once that many are alive."""

        async def alive() -> dict[str, int]:
            status = await asyncio.to_thread(self._service.json, "status", "--json")
            found = {one["name"]: one["pid"] for one in status["actors"] if one["state"] == "alive"}
            return found if len(found) == wanted else {}

        return await eventually(alive, seconds=BACK_SECONDS, pause=0.5)

    def workers(self) -> dict[int, str]:
        """What Ray's workers call themselves, by process: actors and replicas that have begun their work."""
        found = {}
        for process in processes.running_in(self._here.runtime / "ray"):
            try:
                title = WORKER.match(" ".join(process.cmdline()))
            except psutil.Error:
                continue
            if title:
                found[process.pid] = title["replica"] or title["actor"]
        return found

    async def round(self, replicas: tuple[str, ...]) -> None:
        """Kill one actor of every kind and these replicas, each at its own moment; wait until all are there again."""
        kinds: dict[str, list[int]] = {}
        for name, pid in (await self.actors(ACTORS)).items():
            kinds.setdefault(name.split("-")[0], []).append(pid)
        before = self.workers()
        kinds |= {name: [pid for pid, title in before.items() if title == name] for name in replicas}
        doomed = {kind: self._dice.choice(pids) for kind, pids in kinds.items()}
        await asyncio.gather(*(self._kill_later(kind, pid) for kind, pid in doomed.items()))

        def back() -> bool:
            now = self.workers()
            return not now.keys() & set(doomed.values()) and Counter(now.values()) == Counter(before.values())

        await eventually(back, seconds=BACK_SECONDS, pause=0.1)

    async def _kill_later(self, kind: str, pid: int) -> None:
        await asyncio.sleep(self._dice.random())
        os.kill(pid, signal.SIGKILL)
        self.kills[kind] += 1


async def definitions(pool: Pool) -> list[TriggerDefinition]:
    """The triggers as the log of versions has them."""
    rows = await pool.fetch("SELECT definition FROM trigger_versions")
    return [TriggerDefinition.from_json(row["definition"]) for row in rows]


async def register(visitor: Visitor, receiver: Receiver) -> None:
    """A user, triggers, and a receiver that knows the user's secret."""
    await visitor.register()
    receiver.secret = visitor.webhook_secret
    for body in triggers(receiver.url):
        await visitor.create_trigger(body)


@pytest.mark.cluster
@pytest.mark.timeout(480)
async def test_kills_of_single_processes_change_neither_queue_nor_state(here: Place, anvil: Anvil) -> None:
    rpc, dice = Rpc(anvil.url), random.Random(SEED)
    address = (await Emitter.deploy(rpc)).address
    await rpc.close()
    (here.folder / "agentauri.toml").write_text(settings(anvil, address))
    service = Up(here)
    await asyncio.to_thread(service.wait_for, "AgentAuri is ready")
    api = f"http://127.0.0.1:{here.http_port}"
    async with receiving() as receiver, visiting(api) as visitor:
        await register(visitor, receiver)
        run = run_file.get(here.data_dir)
        killer, stop = Killer(service, here, dice), asyncio.Event()
        load = asyncio.create_task(outcome.emit(anvil.url, address, stop, random.Random(SEED)))
        for number in range(ROUNDS):
            await killer.round(REPLICAS if number % 2 else ())
        stop.set()
        pool = await database.open_pool(run.database_url, size=2, name="tests")
        await outcome.settled(pool, await load)
        await outcome.assert_log_is_the_chain(anvil, address, pool)
        await outcome.assert_queue_is_the_reference(pool, await definitions(pool), receiver)
        await pool.close()
        assert killer.kills == dict.fromkeys(("indexer", "listener", "evaluator", "deliverer"), ROUNDS) | dict.fromkeys(
            REPLICAS, ROUNDS // 2
        )
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{api}/api/v1/health/ready")).status_code == 200
    assert (await asyncio.to_thread(service.end))[0] == 0
    with local.claim(here.data_dir) as claim, local.stores(claim) as addresses:
        pool = await database.open_pool(addresses.database_url, size=2, name="tests")
        await outcome.assert_state_is_that_of_one_pass(pool, addresses.database_url, addresses.redis_url)
        await pool.close()
