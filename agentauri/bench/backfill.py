"""``bench backfill``: logs in JSON-RPC answers of a local server → rows committed, through the whole indexer.

The server is a process of its own and hands out 10 000 logs a range; the indexer asks, checks, decodes and commits
them exactly as for a real provider. Every log must be one row in the chain's order, or the bench fails.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentauri.actors.indexer import Indexer
from agentauri.bench import ground
from agentauri.bench.chain_server import CHAIN_ID, IDENTITY, REPUTATION
from agentauri.bench.path import Wrong
from agentauri.bench.report import Case, Progress, Report
from agentauri.chain.registries import watch
from agentauri.store.database import Pool

BLOCKS = 20_000
LOGS_A_BLOCK = 10
RANGE_BLOCKS = 1_000
RUNS = 3
BAR = 10_000
POLL_SECONDS = 0.05
MOST_SECONDS = 300.0
STOP_SECONDS = 5.0


@contextmanager
def _server(blocks: int) -> Iterator[str]:
    words = [sys.executable, "-m", "agentauri.bench.chain_server", str(blocks), str(LOGS_A_BLOCK)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.terminate()
        child.wait(STOP_SECONDS)


async def _timed(pool: Pool, database_url: str, url: str, blocks: int) -> float:
    """Events per second from the start of the indexer to the last commit."""
    chain = watch(
        id=CHAIN_ID,
        name="bench",
        rpc_urls=(url,),
        start_block=1,
        confirmations=0,
        poll_interval_ms=100,
        max_range_blocks=RANGE_BLOCKS,
        identity=IDENTITY,
        reputation=REPUTATION,
        validation="",
    )
    indexer = Indexer(chain, database_url)
    began = time.perf_counter()
    await indexer.start()
    async with asyncio.timeout(MOST_SECONDS):
        await _until(pool, blocks)
    seconds = time.perf_counter() - began
    await indexer.drain()
    return blocks * LOGS_A_BLOCK / seconds


async def _until(pool: Pool, blocks: int) -> None:
    while True:
        if await pool.fetchval("SELECT max(block_number) FROM chains") == blocks:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _check(pool: Pool, blocks: int) -> None:
    rows = await pool.fetch("SELECT block_number, log_index, event_type FROM events ORDER BY seq")
    places = [(row[0], row[1]) for row in rows]
    if places != [(block, index) for block in range(1, blocks + 1) for index in range(LOGS_A_BLOCK)]:
        raise Wrong("the rows are not the logs in the order of the chain")
    if any(row[2] == "Unknown" for row in rows):
        raise Wrong("a log was not decoded")


async def _run(url: str, blocks: int, say: Progress) -> list[float]:
    rates = []
    for run in range(RUNS):
        with ground.stores() as addresses:
            async with ground.migrated(addresses) as pool:
                rates.append(await _timed(pool, addresses.database_url, url, blocks))
                say(f"run {run + 1}: {rates[-1]:,.0f} events/s")
                await _check(pool, blocks)
    return rates


def run(say: Progress, *, blocks: int = BLOCKS) -> Report:
    """Measure the back-fill. Raises Wrong when a row is missing or out of order."""
    with _server(blocks) as url:
        rates = asyncio.run(_run(url, blocks, say))
    parameters = {"blocks": blocks, "logs_a_range": RANGE_BLOCKS * LOGS_A_BLOCK}
    return Report("backfill", [Case("backfill", "events/s", rates, BAR, parameters=parameters)])
