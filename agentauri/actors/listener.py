"""The listener: one leader that carries the log to every evaluator, page by page (protocol P3, P11, P12).

Guarantees that every evaluator is served every page from where it says that it is, one in flight each, and that
one who is behind delays nobody else. The notification is a doorbell: without it a timer reads the table. It holds no
state that matters: a new leader asks the evaluators how far they are.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentauri import logs, metrics
from agentauri.actors import tasks
from agentauri.actors.messages import Away, EvaluatorPort, Progress
from agentauri.actors.pages import PageReader
from agentauri.actors.ports import evaluator_port
from agentauri.actors.runtime import NAMESPACE
from agentauri.bell import Bell
from agentauri.errors import Fenced
from agentauri.models.page import Clock
from agentauri.store import database, leadership
from agentauri.store.database import AWAY

log = logs.get("listener")

LEAD_POLL_SECONDS = 0.5
LEAD_SECONDS = 5.0
"""A leading connection that is silent for longer is lost."""
WAKE_SECONDS = 1.0
"""How long a lost notification can delay an event."""
AWAY_SECONDS = 0.2
"""Between two tries to reach an evaluator that is not there."""
POOL_SIZE = 4
CHANNELS = ("new_event", "trigger_changed")


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """What the listener needs to know; plain, so that it travels to the actor."""

    name: str
    database_url: str
    evaluators: int
    namespace: str = NAMESPACE


class Listener:
    """See the module. ``ports`` makes an evaluator's port from its index; ``give_up`` ends the process."""

    def __init__(
        self,
        settings: ListenerSettings,
        ports: Callable[[int], EvaluatorPort] | None = None,
        give_up: Callable[[], None] = tasks.exit_process,
    ) -> None:
        self._settings = settings
        self._ports = ports or evaluator_port(settings.namespace)
        self._give_up = give_up
        self._started = False
        self._epoch = 0
        self._progress: dict[int, int] = {}
        self._bell = Bell()
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Become the leader, however long that takes, and begin to serve; idempotent."""
        if self._started:
            return
        self._started = True
        connection = await database.connect(self._settings.database_url, name=self._settings.name)
        connection.add_termination_listener(self._lost_leadership)
        self._connection = connection
        self._epoch = await _lead(connection, self._settings.name)
        self._pool = await database.open_pool(self._settings.database_url, size=POOL_SIZE, name=self._settings.name)
        self._reader = PageReader(self._pool, self._epoch)
        for channel in CHANNELS:
            await connection.add_listener(channel, self._on_notify)
        eternal: list[tuple[str, Any]] = [("doorbell", self._ring())]
        eternal += [(f"pump {index}", self._pump(index)) for index in range(self._settings.evaluators)]
        self._tasks = [tasks.spawn(work, name=name, eternal=True, give_up=self._give_up) for name, work in eternal]
        log.info("listener_leads", epoch=self._epoch)

    async def drain(self) -> None:
        """Stop serving and give the leadership back."""
        await tasks.cancel(*self._tasks)
        if self._epoch:
            self._connection.remove_termination_listener(self._lost_leadership)
            await self._connection.close()
            await self._pool.close()

    async def status(self) -> dict[str, Any]:
        """Epoch, cursor (of the slowest evaluator) and lag in log rows."""
        cursor = min(self._progress.values(), default=0)
        head = await self._reader.head() if self._epoch else 0
        return {"epoch": self._epoch, "cursor": cursor, "lag": max(0, head - cursor), "evaluators": self._progress}

    # -- waking up --------------------------------------------------------------------------------------------------

    def _lost_leadership(self, _connection: object) -> None:
        log.error("leadership_lost", remedy="the listener starts again")
        self._give_up()

    def _on_notify(self, *_notification: object) -> None:
        self._bell.ring()

    async def _ring(self) -> None:
        """The timer: wakes the pumps though no notification came, and tells the lag."""
        while True:
            await asyncio.sleep(WAKE_SECONDS)
            self._bell.ring()
            # On the leading connection: one that the server's host no longer answers would never ring again.
            await self._connection.execute("SELECT 1", timeout=LEAD_SECONDS)
            try:
                status = await self.status()
            except AWAY as error:
                log.warning("log_unreadable", error=repr(error))
                continue
            metrics.listener_lag_events(status["lag"])

    # -- serving ----------------------------------------------------------------------------------------------------

    async def _pump(self, index: int) -> None:
        """Serve one evaluator for ever, from where it says that it is. Raises Fenced when another listener leads."""
        port = self._ports(index)
        while True:
            try:
                progress = await port.progress()
                await self._serve(index, port, progress)
            except Away as error:
                log.debug("evaluator_away", evaluator=index, error=str(error))
                await asyncio.sleep(AWAY_SECONDS)
            except AWAY as error:
                log.warning("log_unreadable", error=repr(error), retry_seconds=WAKE_SECONDS)
                await asyncio.sleep(WAKE_SECONDS)

    async def _serve(self, index: int, port: EvaluatorPort, progress: Progress) -> None:
        sent: tuple[Clock, ...] = ()
        while True:
            if progress.epoch > self._epoch:
                raise Fenced(f"epoch {progress.epoch} leads, mine is {self._epoch}")
            self._progress[index] = progress.last_seq
            rings = self._bell.rings
            shared = await self._reader.page(progress.last_seq)
            if shared is None:
                clocks = await self._reader.clocks(progress.last_seq)
                if clocks == sent:
                    await self._bell.wait(rings)
                    continue
                shared, sent = self._reader.clock_page(progress.last_seq, clocks), clocks
            else:
                self._reader.read_ahead(shared)
            progress = await port.batch(shared)


async def _lead(connection: database.Connection, name: str) -> int:
    """Wait for the leader's lock, and begin an epoch."""
    while True:
        if await leadership.try_lead(connection):
            return await leadership.raise_epoch(connection, name)
        await asyncio.sleep(LEAD_POLL_SECONDS)
