"""The processes that bring triggers to the log's head: begun while there is work, ended when there is none.

Nothing has to be undone when one dies: its lease ends, and another one goes on from what it committed last.
"""

import asyncio
import time
from collections.abc import Collection

from agentauri import logs, metrics
from agentauri.actors import handles, runtime
from agentauri.actors.runtime import NAMESPACE
from agentauri.actors.starter import take_turn
from agentauri.store import database, start_work
from agentauri.store.database import AWAY, Pool
from agentauri.store.start_work import Waiting

log = logs.get("starter")

LOOK_SECONDS = 0.5
BEGIN_SECONDS = 10.0
"""A worker that was asked for and has taken nothing for so long is asked for again."""


async def run(pool: Pool, database_url: str, namespace: str = NAMESPACE) -> None:
    """See for ever that somebody works while there is work."""
    asked_at, taken = float("-inf"), 0
    while True:
        try:
            waiting = await look(pool)
            has_begun = waiting.taken > taken or time.monotonic() - asked_at >= BEGIN_SECONDS
            if waiting.free and waiting.taken < start_work.AT_ONCE and has_begun:
                asked_at, taken = time.monotonic(), waiting.taken
                await asyncio.to_thread(runtime.submit, work, database_url, namespace)
        except AWAY as error:
            log.warning("starts_not_seen", error=repr(error), retry_seconds=LOOK_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)


async def look(pool: Pool) -> Waiting:
    """What there is to do, for the metrics too."""
    async with pool.acquire() as connection:
        waiting = await start_work.count(connection)
    metrics.pasts_working(waiting.working)
    metrics.pasts_lag_events(waiting.lag)
    return waiting


def work(database_url: str, namespace: str) -> None:
    """Work in a process of its own until nothing is left to do."""
    asyncio.run(work_alone(database_url, namespace))


async def work_alone(database_url: str, namespace: str) -> None:
    """Work on a connection of its own until nothing is left to do."""

    async def ring(lanes: Collection[str]) -> None:
        if lanes:
            await handles.ring_deliverers(sorted(lanes), namespace)

    connection = await database.connect(database_url, name="starter")
    try:
        while await take_turn(connection, ring):
            pass
    except Exception as error:
        log.error("start_failed", error=repr(error), exc_info=error, remedy="another worker goes on from its last page")
        raise
    finally:
        await connection.close()
