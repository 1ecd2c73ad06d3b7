"""``agentauri simulate``: realistic events written straight into the log of the service that runs, at a rate.

They go to a chain of their own, never to one that an indexer watches: its next reorganisation would take them out.
"""

import asyncio
import time
from dataclasses import dataclass

from rich.progress import Progress, SpinnerColumn, TextColumn

from agentauri.cli import run_file
from agentauri.cli.console import console, say
from agentauri.config import Settings
from agentauri.demo.simulator import Simulator
from agentauri.errors import StartError
from agentauri.models.log import DecodedLog
from agentauri.store import database, events, status
from agentauri.store.database import Connection

BEAT_SECONDS = 0.05
POOL_SIZE = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be written: ``rate`` events a second (0: as fast as can be), ``count`` of them or without end."""

    chain_id: int
    rate: float
    count: int | None
    seed: int

    def due(self, seconds: float, written: int) -> int:
        """How many events to write now, ``seconds`` after the start; at most what one transaction may hold."""
        wanted = events.MAX_ROWS if self.rate == 0 else int(seconds * self.rate) - written
        left = events.MAX_ROWS if self.count is None else self.count - written
        return min(wanted, left, events.MAX_ROWS)


def simulate(settings: Settings, order: Order) -> None:
    """Write events until there are as many as ordered, or until Ctrl-C. Raises StartError."""
    url = settings.stores.database_url.get_secret_value() or run_file.get(settings.data_dir).database_url
    try:
        say(f"{asyncio.run(_run(url, order))} events written.")
    except KeyboardInterrupt:
        say("stopped.")


async def _run(url: str, order: Order) -> int:
    pool = await database.open_pool(url, size=POOL_SIZE, name="simulator")
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} events, {task.fields[pace]:,.0f}/s"))
    try:
        async with pool.acquire() as connection:
            await _check_chain(connection, order.chain_id)
            with Progress(*columns, console=console, transient=True) as progress:
                return await _feed(connection, order, progress)
    finally:
        await pool.close()


async def _check_chain(connection: Connection, chain_id: int) -> None:
    if chain_id in {chain.id for chain in await status.list_chains(connection)}:
        raise StartError(f"chain {chain_id} is indexed here; give --chain-id a number that no chain of yours has.")


async def _feed(connection: Connection, order: Order, progress: Progress) -> int:
    simulator = Simulator(order.seed, first_block=int(time.time()))
    task = progress.add_task("", total=order.count, pace=0.0)
    began, written = time.monotonic(), 0
    while order.count is None or written < order.count:
        seconds = time.monotonic() - began
        size = order.due(seconds, written)
        if size <= 0:
            await asyncio.sleep(BEAT_SECONDS)
            continue
        await _write(connection, order.chain_id, simulator.take(size, int(time.time())))
        written += size
        progress.update(task, completed=written, pace=written / max(time.monotonic() - began, BEAT_SECONDS))
    return written


async def _write(connection: Connection, chain_id: int, logs: list[DecodedLog]) -> None:
    """The month in a transaction before that of its events (protocol P10, P2)."""
    for month in events.months_of([log.block_timestamp or 0 for log in logs]):
        async with connection.transaction():
            await events.ensure_month(connection, month)
    async with connection.transaction():
        await events.append(connection, chain_id, logs)
