"""``bench latency``: from the commit of one event to its webhook at the receiver, at a steady pace.

Every process of the path is at work: listener, two evaluators and a deliverer as Ray actors, the stores, and in this
process the writer and the receiver, whose own delays count too. The clock of an event starts when its commit has
returned. Every webhook must arrive, or the bench fails.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web

from agentauri.actors import handles
from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.actors.evaluator import Evaluator, EvaluatorSettings
from agentauri.actors.listener import Listener, ListenerSettings
from agentauri.actors.runtime import ensure
from agentauri.bench import ground, load
from agentauri.bench.path import Wrong
from agentauri.bench.report import Case, Progress, Report
from agentauri.local import Addresses
from agentauri.store.database import Pool

RATE = 50
"""Events a second."""
EVENTS = 1_000
WARM_UP = 100
"""Events before those that count: connections, lanes and caches are there then, as in a service that runs."""
RUNS = 3
EVALUATORS = 2
P50_BAR_MS, P99_BAR_MS = 10, 40
ARRIVE_SECONDS = 20.0
START_SECONDS = 60.0
LOG = ("error", True)
SECRET_KEY = "bench" * 13

INSERT_SQL = f"""
    INSERT INTO events ({", ".join(load.COLUMNS)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"""


class Arrivals:
    """When the webhook of each event arrived."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Note the moment, answer 204."""
        now = time.perf_counter()
        body = await request.json()
        self.at.setdefault(body["data"]["event"]["id"], now)
        return web.Response(status=204)


@asynccontextmanager
async def _receiver() -> AsyncIterator[tuple[Arrivals, str]]:
    arrivals, app = Arrivals(), web.Application()
    app.router.add_post("/", arrivals.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield arrivals, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _path(addresses: Addresses, namespace: str) -> AsyncIterator[None]:
    """The actors of the path, each ready."""
    urls = addresses.database_url, addresses.redis_url
    deliverer = DelivererSettings(addresses.database_url, SECRET_KEY, ("127.0.0.0/8",))
    actors: list[Any] = [ensure(Deliverer, "deliverer-00", "deliverer-00", deliverer, log=LOG, namespace=namespace)]
    for index in range(EVALUATORS):
        name = handles.evaluator_name(index)
        settings = EvaluatorSettings(index, EVALUATORS, name, *urls, 1, namespace=namespace)
        actors.append(ensure(Evaluator, name, settings, log=LOG, namespace=namespace))
    listener = ListenerSettings("listener", addresses.database_url, EVALUATORS, namespace)
    actors.append(ensure(Listener, handles.LISTENER, listener, log=LOG, namespace=namespace))
    for actor in actors:
        await handles.call(actor, "running", seconds=START_SECONDS)
    try:
        yield
    finally:
        for actor in reversed(actors):
            await handles.call(actor, "drain", seconds=START_SECONDS)
            handles.end(actor)


async def _pace(pool: Pool, rows: list[tuple[Any, ...]]) -> dict[str, float]:
    """Commit one event after the other, RATE a second; returns when each commit returned."""
    committed, began = {}, time.perf_counter()
    async with pool.acquire() as connection:
        for number, row in enumerate(rows):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            await connection.execute(INSERT_SQL, *row)
            committed[str(row[0])] = time.perf_counter()
    return committed


async def _measure(pool: Pool, arrivals: Arrivals, rows: list[tuple[Any, ...]]) -> list[float]:
    """Milliseconds of each event, sorted."""
    committed = await _pace(pool, rows)
    until = time.perf_counter() + ARRIVE_SECONDS
    while not committed.keys() <= arrivals.at.keys():
        if time.perf_counter() > until:
            raise Wrong(f"{len(committed.keys() - arrivals.at.keys())} webhooks did not arrive")
        await asyncio.sleep(0.01)
    return sorted(1000 * (arrivals.at[one] - moment) for one, moment in committed.items())


def _rows(count: int, seed: int) -> list[tuple[Any, ...]]:
    dice = random.Random(seed)
    return [(UUID(bytes=dice.randbytes(16)), *row[1:]) for row in load.base_events(count, load.Mix(1, 100.0))]


async def _run(addresses: Addresses, namespace: str, events: int, say: Progress) -> tuple[list[float], list[float]]:
    organization = uuid4()
    p50, p99 = [], []
    async with ground.migrated(addresses) as pool, _receiver() as (arrivals, url):
        made = load.definitions(organization, [load.low_score_of(0)])
        async with pool.acquire() as connection:
            await load.insert_triggers(connection, organization, made, url, "127.0.0.1")
        async with _path(addresses, namespace):
            await _measure(pool, arrivals, _rows(WARM_UP, 0))
            for run in range(RUNS):
                found = await _measure(pool, arrivals, _rows(events, run + 1))
                p50.append(found[len(found) // 2])
                p99.append(found[len(found) * 99 // 100])
                say(f"run {run + 1}: p50 {p50[-1]:.1f} ms, p99 {p99[-1]:.1f} ms")
    return p50, p99


def run(say: Progress, *, events: int = EVENTS) -> Report:
    """Measure the latency. Raises Wrong when a webhook does not arrive."""
    with ground.stores() as addresses, ground.cluster() as namespace:
        p50, p99 = asyncio.run(_run(addresses, namespace, events, say))
    parameters = {"events": events, "events_per_second": RATE}
    return Report(
        "latency",
        [
            Case("latency_p50_ms", "ms", p50, P50_BAR_MS, lower_is_better=True, parameters=parameters),
            Case("latency_p99_ms", "ms", p99, P99_BAR_MS, lower_is_better=True, parameters=parameters),
        ],
    )
