"""``bench path``: rows committed in ``events`` → rows committed in ``deliveries``, all processes on this machine.

Two million events stand in the log before the clock starts; a listener and two evaluators, each a Ray actor, then
work them off. One event in a hundred matches one of 10 000 triggers. The queue must afterwards hold exactly what
the definitions and the table say, computed by SQL without the engine, or the bench fails.
"""

# all organizations: a bench has one

import asyncio
import time
from typing import Any
from uuid import uuid4

from agentauri.actors import handles
from agentauri.actors.evaluator import Evaluator, EvaluatorSettings
from agentauri.actors.listener import Listener, ListenerSettings
from agentauri.actors.runtime import ensure
from agentauri.bench import ground, load
from agentauri.bench.report import Case, Progress, Report
from agentauri.errors import AgentAuriError
from agentauri.local import Addresses
from agentauri.store import log, partitions
from agentauri.store.database import Pool

EVENTS = 2_000_000
TRIGGERS = 10_000
EVALUATORS = 2
BAR = 75_000
RUNS = 3
POLL_SECONDS = 0.05
STALL_SECONDS = 120.0

EXPECTED_SQL = """
    SELECT count(*) FROM events
    WHERE event_type = 'NewFeedback' AND agent_id < $1 AND (data ->> 'score')::numeric < 10"""


class Wrong(AgentAuriError):
    """What was enqueued is not what should have been."""


async def _run(addresses: Addresses, namespace: str, events: int, say: Progress) -> list[float]:
    mix, organization = load.Mix(agents=TRIGGERS), uuid4()
    async with ground.migrated(addresses) as pool:
        async with pool.acquire() as connection:
            say(f"{TRIGGERS:,} triggers")
            made = load.definitions(organization, [load.low_score_of(agent) for agent in range(TRIGGERS)])
            await load.insert_triggers(connection, organization, made, "http://127.0.0.1:9/", "127.0.0.1")
            say(f"{events:,} events")
            await load.insert_events(connection, events, mix)
            expected = await connection.fetchval(EXPECTED_SQL, TRIGGERS)
        rates = []
        for run in range(RUNS):
            rates.append(await _timed(pool, addresses, f"{namespace}-{run}", events))
            say(f"run {run + 1}: {rates[-1]:,.0f} events/s")
            await _check(pool, expected)
            await pool.execute("TRUNCATE deliveries, trigger_ledger")
            await pool.execute("UPDATE partitions SET last_seq = 0")
            await pool.execute("VACUUM partitions, triggers")
    return rates


async def _timed(pool: Pool, addresses: Addresses, namespace: str, events: int) -> float:
    """Events per second from the moment that the listener leads to the end of the log."""
    urls = addresses.database_url, addresses.redis_url
    names = [handles.evaluator_name(index) for index in range(EVALUATORS)]
    actors: list[Any] = [
        ensure(
            Evaluator,
            name,
            EvaluatorSettings(index, EVALUATORS, name, *urls, 1),
            log=("error", True),
            namespace=namespace,
        )
        for index, name in enumerate(names)
    ]
    for actor in actors:
        await handles.call(actor, "progress", seconds=60)
    async with pool.acquire() as connection:
        head = await log.head(connection)
    settings = ListenerSettings("listener", addresses.database_url, EVALUATORS, namespace)
    actors.append(ensure(Listener, handles.LISTENER, settings, log=("error", True), namespace=namespace))
    await handles.call(actors[-1], "running", seconds=60)
    began = time.perf_counter()
    await _until(pool, head)
    seconds = time.perf_counter() - began
    for actor in reversed(actors):
        await handles.call(actor, "drain", seconds=60)
        handles.end(actor)
    return events / seconds


async def _until(pool: Pool, head: int) -> None:
    last, moved = -1, time.monotonic()
    while True:
        async with pool.acquire() as connection:
            reached = min((await partitions.progress(connection)).values())
        if reached >= head:
            return
        if reached != last:
            last, moved = reached, time.monotonic()
        if time.monotonic() - moved > STALL_SECONDS:
            raise Wrong(f"no progress beyond seq {reached} of {head} for {STALL_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


async def _check(pool: Pool, expected: int) -> None:
    found = await pool.fetchval("SELECT count(*) FROM deliveries")
    if found != expected:
        raise Wrong(f"{found} deliveries were enqueued, {expected} should have been")


def run(say: Progress, *, events: int = EVENTS) -> Report:
    """Measure the path. Raises Wrong when the queue is not what it should be."""
    with ground.stores() as addresses, ground.cluster() as namespace:
        rates = asyncio.run(_run(addresses, namespace, events, say))
    parameters = {"events": events, "triggers": TRIGGERS, "evaluators": EVALUATORS, "matching_percent": 1}
    return Report("path", [Case("path_sustained", "events/s", rates, BAR, parameters=parameters)])
