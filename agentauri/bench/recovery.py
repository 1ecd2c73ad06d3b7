"""``bench recovery``: an evaluator killed at the beginning of a backlog → the backlog worked off by its successor.

One evaluator holds 100 000 states when more than 100 000 events come at once; as soon as it has begun on them its
process gets SIGKILL. The clock starts with the new process (with the kill, where Ray had one in reserve), so imports
count; it stops when the database has every partition at the head: state loaded, backlog done. A last run loses Redis
with the process, before there is any snapshot, and makes all state anew from the log: a parameter. Queue, counters and
state must in the end be those of an evaluator that was never killed, or the bench fails.
"""

# all organizations: a bench has one

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psutil

from agentauri.actors import handles
from agentauri.actors.evaluator import Evaluator, EvaluatorSettings
from agentauri.actors.listener import Listener, ListenerSettings
from agentauri.actors.runtime import ensure
from agentauri.bench import ground, load, truth
from agentauri.bench.path import Wrong
from agentauri.bench.report import Case, Progress, Report
from agentauri.bench.truth import SAMPLED_AGENTS, Truth
from agentauri.local import Addresses
from agentauri.store import checkpoints, log, partitions
from agentauri.store.database import Pool

STATES = 100_000
BEHIND = 100_000
BACKLOG = 108_000
"""Events that come at once: more than BEHIND of them are left when the kill meets the evaluator at work on them."""
AGENTS_EACH = 50
"""Agents of a trigger; each agent has two triggers, with one state each."""
BAR_SECONDS = 10
RUNS = 3
POLL_SECONDS = 0.01
STALL_SECONDS = 120.0
NAME = handles.evaluator_name(0)
LOG = ("error", True)

STATEFUL: list[dict[str, Any]] = [
    {"condition_type": "ema_threshold", "operator": "<", "value": 10, "config": {"window_size": 3}},
    {"condition_type": "change", "field": "score", "operator": "<", "value": -85},
    {"condition_type": "window_aggregate", "field": "score", "operator": "<", "value": 20,
     "config": {"function": "sum", "last_n": 2, "min_samples": 2}},
    {"condition_type": "rate_limit", "operator": ">", "value": 4, "config": {"time_window": "2h"}},
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of one run: from the kill to the new process; from there to its first commit, and to the end."""

    restart: float
    first: float
    recovery: float
    behind: int
    """Events that were left at the kill."""


def conditions(number: int, count: int) -> list[dict[str, Any]]:
    """Those of trigger ``number`` of ``count``: a stateful one on AGENTS_EACH agents, which two triggers share."""
    half, first = divmod(number, count // 2)
    agents = [str(first * AGENTS_EACH + place) for place in range(AGENTS_EACH)]
    return [
        {"condition_type": "agent_id_equals", "operator": "in", "value": agents},
        STATEFUL[2 * half + number % 2],
    ]


class Bench:
    """One database with its triggers, through several runs. Every method raises Wrong when something is not right."""

    def __init__(self, pool: Pool, addresses: Addresses, states: int, backlog: int, behind: int) -> None:
        self._pool, self._addresses = pool, addresses
        self._states, self._backlog, self._behind = states, backlog, behind
        self._mix = load.Mix(agents=states // 2, in_turn=True)
        self._truth: Truth | None = None

    async def prepare(self) -> None:
        """Triggers, and the events that make every state."""
        organization, count = uuid4(), self._mix.agents // AGENTS_EACH * 2
        self._triggers = load.definitions(organization, [conditions(number, count) for number in range(count)])
        async with self._pool.acquire() as connection:
            await load.insert_triggers(connection, organization, self._triggers, "http://127.0.0.1:9/", "127.0.0.1")
            await load.insert_events(connection, self._states, self._mix)
            self._met = await log.head(connection)

    async def run(self, namespace: str, *, without_redis: bool) -> Timed:
        """One kill, and whether all is afterwards as if there had been none."""
        await self._reset()
        async with self._path(namespace):
            await self._reach(self._met)
            timed = await self._kill(namespace, without_redis=without_redis)
        await self._check()
        if timed.behind < self._behind:
            raise Wrong(f"only {timed.behind} events were left when the kill came")
        return timed

    async def _reset(self) -> None:
        await self._pool.execute("TRUNCATE deliveries, trigger_ledger, trigger_state")
        await self._pool.execute("UPDATE partitions SET last_seq = 0")
        await self._pool.execute("UPDATE triggers SET fired_count = 0, last_fired_at = NULL")
        await self._pool.execute("DELETE FROM events WHERE seq > $1", self._met)
        await self._pool.execute("VACUUM partitions, triggers, events")
        await self._flush_redis()

    async def _flush_redis(self) -> None:
        client = checkpoints.connect(self._addresses.redis_url)
        await client.flushall()
        await client.aclose()

    @asynccontextmanager
    async def _path(self, namespace: str) -> AsyncIterator[None]:
        urls = self._addresses.database_url, self._addresses.redis_url
        evaluator = EvaluatorSettings(0, 1, NAME, *urls, 1, snapshot_seconds=3600, namespace=namespace)
        listener = ListenerSettings(handles.LISTENER, urls[0], 1, namespace)
        actors: list[Any] = [
            ensure(Evaluator, NAME, evaluator, log=LOG, namespace=namespace),
            ensure(Listener, handles.LISTENER, listener, log=LOG, namespace=namespace),
        ]
        yield
        for actor in reversed(actors):
            await handles.call(actor, "drain", seconds=60)
            handles.end(actor)

    async def _kill(self, namespace: str, *, without_redis: bool) -> Timed:
        pid = await self._process(namespace)
        async with self._pool.acquire() as connection, connection.transaction():
            await load.insert_events(connection, self._backlog, self._mix, first=self._states)
        async with self._pool.acquire() as connection:
            head = await log.head(connection)
        await self._reach(self._met + 1)
        os.kill(pid, signal.SIGKILL)
        killed = time.time()
        if without_redis:
            await self._flush_redis()
        stopped = await self._progress()
        await self._reach(stopped + 1)
        first = time.time()
        await self._reach(head)
        done = time.time()
        back = max(killed, psutil.Process(await self._process(namespace, other_than=pid)).create_time())
        return Timed(back - killed, first - back, done - back, head - stopped)

    async def _process(self, namespace: str, other_than: int = 0) -> int:
        until = time.perf_counter() + STALL_SECONDS
        while time.perf_counter() < until:
            about = await handles.ask(NAME, "about", namespace)
            if about and about["pid"] != other_than:
                pid: int = about["pid"]
                return pid
            await asyncio.sleep(POLL_SECONDS)
        raise Wrong(f"there was no evaluator for {STALL_SECONDS:.0f} s")

    async def _reach(self, seq: int) -> None:
        until = time.perf_counter() + STALL_SECONDS
        while await self._progress() < seq:
            if time.perf_counter() > until:
                raise Wrong(f"seq {seq} was not reached within {STALL_SECONDS:.0f} s")
            await asyncio.sleep(POLL_SECONDS)

    async def _progress(self) -> int:
        async with self._pool.acquire() as connection:
            return min((await partitions.progress(connection)).values())

    async def _check(self) -> None:
        async with self._pool.acquire() as connection:
            if self._truth is None:  # the log is the same in every run
                half, some = len(self._triggers) // 2, SAMPLED_AGENTS // AGENTS_EACH
                sampled = [*self._triggers[:some], *self._triggers[half : half + some]]
                self._truth = await truth.work_out(connection, self._triggers, sampled)
            if self._truth.state_count < self._states:
                raise Wrong(f"there are {self._truth.state_count} states, not {self._states}")
            await truth.check(connection, self._truth)


async def _run(
    addresses: Addresses, namespace: str, sizes: tuple[int, int, int], runs: int, say: Progress
) -> list[Timed]:
    """``runs`` from checkpoints, and a last one without."""
    found: list[Timed] = []
    async with ground.migrated(addresses) as pool:
        bench = Bench(pool, addresses, *sizes)
        say(f"{sizes[0]:,} states")
        await bench.prepare()
        for number in range(runs + 1):
            timed = await bench.run(f"{namespace}-{number}", without_redis=number == runs)
            found.append(timed)
            how = "the log alone" if number == runs else "checkpoints"
            say(f"from {how}: begun after {timed.first:.1f} s, {timed.behind:,} events after {timed.recovery:.1f} s")
    return found


def run(
    say: Progress, *, states: int = STATES, backlog: int = BACKLOG, behind: int = BEHIND, runs: int = RUNS
) -> Report:
    """Measure the recovery. Raises Wrong when a kill changes what the log comes to."""
    with ground.stores() as addresses, ground.cluster() as namespace:
        *timed, bare = asyncio.run(_run(addresses, namespace, (states, backlog, behind), runs, say))
    parameters = {
        "states": states,
        "events_behind": min(one.behind for one in timed),
        "restart_seconds": round(statistics.median(one.restart for one in timed), 3),
        "first_commit_seconds": round(statistics.median(one.first for one in timed), 3),
        "from_the_log_alone_seconds": round(bare.recovery, 3),
    }
    values = [one.recovery for one in timed]
    return Report(
        "recovery", [Case("recovery_s", "s", values, BAR_SECONDS, lower_is_better=True, parameters=parameters)]
    )
