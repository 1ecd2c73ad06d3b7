"""Tails of the real streams: what is committed arrives, from the past on, through a login that runs out meanwhile."""

import asyncio
import json
import signal
import time

from agentauri.demo.simulator import Simulator
from agentauri.store import events
from agentauri.store.database import Pool
from tests.integration.cli.conftest import Process, Service
from tests.support.waiting import eventually

CHAIN = 5
DELIVERY_SQL = """
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane,
        status, context)
    SELECT gen_random_uuid(), id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'rest', 'd', 'l',
        'pending', '{}' FROM organizations"""


async def emit(pool: Pool, count: int, seed: int) -> None:
    now = int(time.time())
    logs = Simulator(seed, first_block=now + seed).take(count, now)
    async with pool.acquire() as connection:
        for month in events.months_of([now]):
            async with connection.transaction():
                await events.ensure_month(connection, month)
        async with connection.transaction():
            await events.append(connection, CHAIN, logs)


async def test_events_of_the_past_and_of_now_come_in_order(logged_in: Service, process: Process, pool: Pool) -> None:
    await emit(pool, 5, seed=1)
    async with process("events", "tail", "--since", "1h", "--json", "--chain-id", str(CHAIN)) as started:
        assert started.stdout is not None
        told = [json.loads(await asyncio.wait_for(started.stdout.readline(), 30)) for _ in range(5)]
        await emit(pool, 5, seed=100)
        told += [json.loads(await asyncio.wait_for(started.stdout.readline(), 30)) for _ in range(5)]
        started.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(started.wait(), 30) == 0
    seqs = [one["seq"] for one in told]
    assert seqs == sorted(set(seqs))
    stored = await pool.fetch("SELECT seq FROM events WHERE chain_id = $1 ORDER BY seq", CHAIN)
    assert seqs == [row["seq"] for row in stored]


async def test_session_that_ends_ends_the_tail_with_one_line(logged_in: Service, process: Process, pool: Pool) -> None:
    await emit(pool, 1, seed=1)
    async with process("events", "tail", "--since", "1h") as started:
        assert started.stdout is not None
        await asyncio.wait_for(started.stdout.readline(), 30)
        await pool.execute("UPDATE sessions SET revoked_at = now()")
        _, err = await asyncio.wait_for(started.communicate(), 30)
    assert started.returncode == 1
    assert err.decode() == f"error: the login to {logged_in.url} has ended; run: agentauri login\n"


async def test_deliveries_come_as_they_are_made(logged_in: Service, process: Process, pool: Pool) -> None:
    async with process("deliveries", "tail", "--json", "--status", "pending", "--count", "1") as started:
        ending = asyncio.create_task(started.communicate())

        async def told() -> bool:
            await pool.execute(DELIVERY_SQL)  # until the stream is there to tell of one
            return ending.done()

        await eventually(told, seconds=30, pause=0.3)
        out, err = await ending
    assert (started.returncode, err) == (0, b"")
    assert json.loads(out)["status"] == "pending"
