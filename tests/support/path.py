"""The listener's side of an evaluator in one process: pages served until the head of the log is worked off."""

from collections.abc import Callable

from agentauri.actors.doorbell import Doorbell
from agentauri.actors.evaluator import Evaluator, EvaluatorSettings
from agentauri.actors.pages import PageReader
from agentauri.store import log
from agentauri.store.database import Pool


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
        self.reader = PageReader(pool, epoch=1)
        self.reader._rows = page_rows

    async def start(self, give_up: Callable[[], None] = _gone) -> Evaluator:
        """A fresh evaluator, as after a restart of its process."""

        async def ring(lanes: object) -> None:
            self.rung.append(str(lanes))

        evaluator = Evaluator(self.settings, Doorbell(ring), give_up)
        await evaluator.start()
        return evaluator

    async def serve(self, evaluator: Evaluator) -> None:
        """Pages until there are no more."""
        progress = await evaluator.progress()
        while (shared := await self.reader.page(progress.last_seq)) is not None:
            progress = await evaluator.batch(shared.page)

    async def head(self) -> int:
        """The newest seq."""
        async with self.pool.acquire() as connection:
            return await log.head(connection)

    async def deliveries(self) -> set[tuple[str, str, str, str]]:
        """Every (trigger, action, event, status) there is."""
        sql = "SELECT trigger_id::text, action_id::text, event_id::text, status FROM deliveries"
        return {tuple(row) for row in await self.pool.fetch(sql)}  # type: ignore[misc]  # four columns
