"""The listener's side of an evaluator in one process: pages served until the head of the log is worked off."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from agentauri.actors import tasks
from agentauri.actors.doorbell import Doorbell
from agentauri.actors.evaluator import Evaluator, EvaluatorSettings
from agentauri.actors.pages import PageReader
from agentauri.store import checkpoints, log
from agentauri.store.database import Pool

T = TypeVar("T")

UNRECONCILED_SQL = """
    WITH made AS (
        SELECT trigger_id, left(context -> 'event' ->> 'block_timestamp', 10)::date AS day, count(*) AS n
        FROM deliveries WHERE type = 'trigger.fired' GROUP BY 1, 2),
    counted AS (
        SELECT l.trigger_id, l.day, l.matched, l.cooled_down, l.fired,
            (SELECT count(*) FROM trigger_actions AS a WHERE a.trigger_id = l.trigger_id) AS actions
        FROM trigger_ledger AS l),
    days AS (
        SELECT 'day' FROM counted FULL JOIN made USING (trigger_id, day)
        WHERE matched IS DISTINCT FROM fired + cooled_down OR coalesce(fired * actions, 0) <> coalesce(n, 0)),
    totals AS (
        SELECT 'total' FROM triggers AS t
        WHERE fired_count <> (SELECT coalesce(sum(fired), 0) FROM trigger_ledger AS l WHERE l.trigger_id = t.id))
    SELECT * FROM days UNION ALL SELECT * FROM totals"""
"""Days of a ledger, and triggers' totals, that are not what the deliveries say."""


class Gone(Exception):
    """The evaluator's process would have ended here."""


def _gone() -> None:
    raise Gone


class Rig:
    """One evaluator that owns all partitions, and the pages it is served."""

    def __init__(self, pool: Pool, database_url: str, redis_url: str, *, page_rows: int = 50) -> None:
        self.pool = pool
        self.settings = EvaluatorSettings(
            index=0, evaluators=1, name="evaluator-00", database_url=database_url, redis_url=redis_url,
            deliverers_max=1, snapshot_seconds=3600,
        )  # fmt: skip
        self.rung: list[str] = []
        self._alive: list[Evaluator] = []
        self._page_rows = page_rows
        self.read_anew()

    def read_anew(self) -> None:
        """Forget pages that were read: a test has changed the log behind them."""
        self.reader = PageReader(self.pool, epoch=1)
        self.reader._rows = self._page_rows

    async def start(self, give_up: Callable[[], None] = _gone, *, index: int = 0, evaluators: int = 1) -> Evaluator:
        """A fresh evaluator, as after a restart of its process: by default the only one there is."""

        async def ring(lanes: object) -> None:
            self.rung.append(str(lanes))

        settings = replace(self.settings, index=index, evaluators=evaluators, name=f"evaluator-{index:02d}")
        evaluator = Evaluator(settings, Doorbell(ring), give_up)
        self._alive.append(evaluator)
        await evaluator.start()
        return evaluator

    async def served(self) -> Evaluator:
        """A fresh evaluator that has worked off the log."""
        evaluator = await self.start()
        await self.serve(evaluator)
        return evaluator

    async def crash(self, evaluator: Evaluator) -> None:
        """End an evaluator as SIGKILL does: nothing more is written, its connections are gone."""
        await tasks.cancel(*evaluator._tasks)
        evaluator._pool.terminate()
        await evaluator._redis.aclose()

    async def crash_all(self) -> None:
        """End whatever still runs."""
        for evaluator in self._alive:
            await self.crash(evaluator)

    async def serve(self, evaluator: Evaluator, *, most: int = 2**31) -> None:
        """Pages until there are no more, or ``most`` of them."""
        progress = await evaluator.progress()
        while most > 0 and (shared := await self.reader.page(progress.last_seq)) is not None:
            progress = await evaluator.batch(shared.page)
            most -= 1

    async def serve_clocks(self, evaluator: Evaluator) -> None:
        """The chains' clocks as they stand, on a page of their own."""
        self.reader._clocks_due = 0.0
        after = (await evaluator.progress()).last_seq
        await evaluator.batch(self.reader.clock_page(after, await self.reader.clocks(after)).page)

    async def head(self) -> int:
        """The newest seq."""
        async with self.pool.acquire() as connection:
            return await log.head(connection)

    async def deliveries(self) -> set[tuple[str, str, str, str]]:
        """Every (trigger, action, event, status) there is."""
        sql = "SELECT trigger_id::text, action_id::text, event_id::text, status FROM deliveries"
        return {tuple(row) for row in await self.pool.fetch(sql)}

    async def redis(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """What ``work`` does with Redis."""
        client = checkpoints.connect(self.settings.redis_url)
        try:
            return await work(client)
        finally:
            await client.aclose()

    async def flush_redis(self) -> None:
        """Redis has lost everything."""
        await self.redis(lambda client: client.flushall())

    async def dump_redis(self) -> dict[bytes, bytes]:
        """All that Redis holds, as it saves it."""

        async def dump(client: Any) -> dict[bytes, bytes]:
            return {key: await client.dump(key) for key in await client.keys()}

        return await self.redis(dump)

    async def restore_redis(self, dumped: Mapping[bytes, bytes]) -> None:
        """Redis is back from an older dump, under whoever is alive."""

        async def restore(client: Any) -> None:
            await client.flushall()
            for key, value in dumped.items():
                await client.restore(key, 0, value)

        await self.redis(restore)

    async def unreconciled(self) -> list[str]:
        """What the ledgers and the counters of triggers count otherwise than the deliveries do."""
        return [row[0] for row in await self.pool.fetch(UNRECONCILED_SQL)]


async def snapshot(evaluator: Evaluator) -> None:
    """Have it snapshot all that it owns, now."""
    for owned in evaluator._owned:
        await evaluator._keeper.snapshot(owned, evaluator._engine)
