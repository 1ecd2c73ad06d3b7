"""``bench delivery``: due rows in ``deliveries`` → signed webhooks at 50 destinations, each attempt recorded.

Two deliverers as Ray actors, the database, and a receiver in a process of its own, all on this machine; rows are
queued before the clock starts, which stops with the last recorded success. Then half of the destinations hang to
their time-out, and the rate of the others is compared with theirs alone, for the CPU time that each had. Every
delivery must be there once, every attempt recorded, every sampled signature right, or the bench fails. Needs all of
127.0.0.0/8, as Linux has it.
"""

# all organizations: a bench has ten

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any
from uuid import UUID

import httpx2

from agentauri.actors import handles
from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.actors.runtime import ensure
from agentauri.bench import ground
from agentauri.bench.cpu import Clock, cores, idle_seconds
from agentauri.bench.delivery_queue import Hooks, add_deliveries, make_hooks, verify
from agentauri.bench.path import Wrong
from agentauri.bench.report import Case, Progress, Report
from agentauri.local import Addresses
from agentauri.store.database import Pool

DELIVERERS = 2
DESTINATIONS = 50
EACH = 800
"""Deliveries to each destination in a run."""
RUNS = 3
PAIRS = 5
"""Runs beside hung receivers, each between two without: what else the machine does then slows both kinds alike."""
RATE_BAR, REUSE_BAR, SLOWDOWN_BAR = 4_000, 90, 10
QUEUED_SECONDS = 4.0
"""From queueing to the moment that all rows are due: beats share the lanes out meanwhile."""
MOST_SECONDS = 120.0
START_SECONDS = 60.0
IDLE_SECONDS = 30.0
POLL_SECONDS = 0.1
STOP_SECONDS = 5.0
LOG = ("error", True)
SECRET_KEY = "bench" * 13

SETTLED_SQL = """
    SELECT NOT EXISTS (SELECT FROM deliveries
        WHERE action_id = ANY($1::uuid[]) AND status IN ('pending', 'delivering', 'retrying', 'held'))"""

OUTCOME_SQL = """
    SELECT count(*) FILTER (WHERE status = 'delivered') AS delivered,
        extract(epoch FROM max(delivered_at) - min(next_attempt_at))::float8 AS seconds,
        (SELECT count(*) FROM delivery_attempts AS t JOIN deliveries AS e ON e.id = t.delivery_id
         WHERE e.action_id = ANY($1::uuid[]) AND t.outcome = 'success' AND t.number = 1) AS recorded
    FROM deliveries WHERE action_id = ANY($1::uuid[])"""


@dataclass(frozen=True, slots=True)
class _Stage:
    """Everything that is at work."""

    pool: Pool
    hooks: Hooks
    deliverers: Sequence[Any]
    clock: Clock
    port: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Deliveries a second, connections that were reused in a hundred, and CPU time in µs of a delivery by process.

    ``undisturbed``: the rate for the CPU time that was there for it, used or idle; what else the machine does lowers
    ``rate`` and leaves this one alone.
    """

    rate: float
    undisturbed: float
    reused: float
    cpu: dict[str, float]


def _address(number: int, run: int = 0) -> str:
    return f"127.0.{run}.{number + 1}"


@contextmanager
def _receiver() -> Iterator[tuple[int, int]]:
    """Process id and port."""
    addresses = [_address(number, run) for run in range(PAIRS + 1) for number in range(DESTINATIONS)]
    words = [sys.executable, "-m", "agentauri.bench.hook_receiver", *addresses]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
    finally:
        child.terminate()
        child.wait(STOP_SECONDS)


@asynccontextmanager
async def _deliverers(database_url: str, namespace: str) -> AsyncIterator[list[Any]]:
    settings = DelivererSettings(database_url, SECRET_KEY, ("127.0.0.0/8",))
    names = [handles.deliverer_name(index) for index in range(DELIVERERS)]
    actors: list[Any] = [ensure(Deliverer, name, name, settings, log=LOG, namespace=namespace) for name in names]
    for actor in actors:
        await handles.call(actor, "running", seconds=START_SECONDS)
    try:
        yield actors
    finally:
        for actor in actors:
            await handles.call(actor, "drain", seconds=START_SECONDS)
            handles.end(actor)


async def _counts(port: int) -> dict[str, Any]:
    async with httpx2.AsyncClient() as client:
        answer: dict[str, Any] = (await client.get(f"http://{_address(0)}:{port}/counts")).json()
    return answer


async def _deliver(stage: _Stage, good: Sequence[UUID], hanging: Sequence[UUID], each: int) -> _Run:
    """Deliver ``each`` to every action of ``good`` while as many wait for those of ``hanging``."""
    await _counts(stage.port)
    due_at = time.monotonic() + QUEUED_SECONDS
    async with stage.pool.acquire() as connection:
        await add_deliveries(connection, [*good, *hanging], each, QUEUED_SECONDS)
    await asyncio.sleep(due_at - time.monotonic())
    before, idle_before = stage.clock.read(), idle_seconds()
    async with stage.pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")  # reading the whole table would cost more than deliveries
        await _until(partial(connection.fetchval, SETTLED_SQL, good), MOST_SECONDS)
    cpu, total = stage.clock.since(before), each * len(good)
    had = sum(cpu.values()) + idle_seconds() - idle_before
    row = await stage.pool.fetchrow(OUTCOME_SQL, good)
    counts = await _counts(stage.port)
    assert row is not None
    if (row["delivered"], row["recorded"], counts["requests"]) != (total, total, total):
        raise Wrong(f"of {total} deliveries {row['delivered']} succeeded, {row['recorded']} attempts are recorded, "
                    f"and {counts['requests']} requests arrived")  # fmt: skip
    verify(counts["samples"], stage.hooks)
    await _clear(stage)
    reused = 100 * (1 - counts["connections"] / (total + counts["hung"]))
    by_process = {name: round(1e6 * one / total, 1) for name, one in cpu.items()}
    return _Run(total / row["seconds"], total * cores() / had, reused, by_process)


async def _until(is_so: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait until it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if await is_so():
                return
            await asyncio.sleep(POLL_SECONDS)


async def _is_idle(deliverer: Any) -> bool:
    return not (await handles.call(deliverer, "status"))["in_flight"]


async def _clear(stage: _Stage) -> None:
    """An empty queue, nothing under way."""
    await stage.pool.execute("TRUNCATE deliveries, delivery_attempts")
    for actor in stage.deliverers:
        await _until(partial(_is_idle, actor), IDLE_SECONDS)
    await stage.pool.execute("VACUUM deliveries, delivery_attempts")


async def _measure(stage: _Stage, each: int, say: Progress) -> list[Case]:
    all_, half = [*stage.hooks.answering], [*stage.hooks.answering][: DESTINATIONS // 2]
    runs: list[_Run] = []
    await _deliver(stage, all_, (), max(1, each // 4))
    for number in range(RUNS):
        runs.append(await _deliver(stage, all_, (), each))
        one = runs[-1]
        speed = f"{one.rate:,.0f} webhooks/s ({one.undisturbed:,.0f} undisturbed)"
        say(f"run {number + 1}: {speed}, {one.reused:.1f} % reused, {one.cpu}")
    alone, slower = await _beside_hung(stage, half, each, say)
    cpu = {name: Case(name, "", [one.cpu[name] for one in runs]).value for name in runs[0].cpu}
    size: dict[str, float] = {"destinations": DESTINATIONS, "deliveries": each * DESTINATIONS, "deliverers": DELIVERERS}
    rates, reused = [one.rate for one in runs], [one.reused for one in runs]
    size["undisturbed_per_second"] = Case("", "", [one.undisturbed for one in runs]).value
    base = {"hung": DESTINATIONS // 2, "alone_per_second": Case("", "", alone).value}
    return [
        Case("deliveries_sustained", "webhooks/s", rates, RATE_BAR, parameters={**size, "cpu_us": cpu}),
        Case("connection_reuse_ratio", "%", reused, REUSE_BAR, parameters=size),
        Case("hung_receivers_slowdown", "%", slower, SLOWDOWN_BAR, lower_is_better=True, parameters=base),
    ]


async def _beside_hung(
    stage: _Stage, good: Sequence[UUID], each: int, say: Progress
) -> tuple[list[float], list[float]]:
    """Undisturbed rates of ``good`` alone, and by how many percent as many hung destinations lower them."""
    alone, slower = [(await _deliver(stage, good, (), each)).undisturbed], []
    for number, hanging in enumerate(stage.hooks.hanging, 1):
        beside = (await _deliver(stage, good, hanging, each)).undisturbed
        alone.append((await _deliver(stage, good, (), each)).undisturbed)
        slower.append(100 * (1 - beside / fmean(alone[-2:])))
        say(f"run {number}: {fmean(alone[-2:]):,.0f} webhooks/s alone, {beside:,.0f} beside hung ones")
    return alone, slower


async def _run(addresses: Addresses, namespace: str, receiver: tuple[int, int], each: int, say: Progress) -> list[Case]:
    pid, port = receiver
    async with ground.migrated(addresses) as pool:
        async with pool.acquire() as connection:
            here = [f"http://{_address(number)}:{port}/hook" for number in range(DESTINATIONS)]
            hung = [
                [f"http://{_address(number, run)}:{port}/hang" for number in range(DESTINATIONS // 2)]
                for run in range(1, PAIRS + 1)
            ]
            hooks = await make_hooks(connection, SECRET_KEY, here, hung)
            clock = await Clock.of_database(connection)
        async with _deliverers(addresses.database_url, namespace) as actors:
            pids = [(await handles.call(actor, "about"))["pid"] for actor in actors]
            clock.add("deliverers", pids)
            clock.add("receiver", [pid])
            return await _measure(_Stage(pool, hooks, actors, clock, port), each, say)


def run(say: Progress, *, each: int = EACH) -> Report:
    """Measure deliveries. Raises Wrong when one is missing, repeated, unrecorded or signed wrongly."""
    with ground.stores() as addresses, ground.cluster() as namespace, _receiver() as receiver:
        return Report("delivery", asyncio.run(_run(addresses, namespace, receiver, each, say)))
