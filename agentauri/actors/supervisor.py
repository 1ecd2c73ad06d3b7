"""Keeps the actors of the path alive: creates those that are missing, replaces old versions, sizes the delivery pool.

Runs inside the ``Control`` deployment of Serve, which Ray restarts. Ray itself restarts an actor whose process dies;
this covers what Ray does not: actors that were killed for good, settings that changed, and queues that grew. It
decides nothing about events: two supervisors at once would only ask for the same named actors twice.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ray.exceptions import RayError

from agentauri import logs, metrics
from agentauri.actors import handles, maintenance, start_workers, tasks
from agentauri.actors.agent_book import identity_registries
from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.actors.evaluator import Evaluator, EvaluatorSettings
from agentauri.actors.indexer import Indexer
from agentauri.actors.listener import Listener, ListenerSettings
from agentauri.actors.pool_size import DUE_PER_DELIVERER, Load, PoolSize
from agentauri.actors.runtime import NAMESPACE, ensure, fingerprint
from agentauri.chain.registries import watch
from agentauri.config import Chain, Settings
from agentauri.store import database, status
from agentauri.store.database import AWAY

log = logs.get("supervisor")

BEAT_SECONDS = 1.0
SILENT_BEATS = 30
"""Beats without an answer after which an actor is taken for hung and killed."""
DRAIN_SECONDS = 20.0
LET_GO_SECONDS = 65.0
"""A deliverer that is not needed may finish what it sends: no attempt takes longer than a minute."""
POOL_SIZE = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """An actor that should exist: its class, name and constructor arguments."""

    cls: Any
    name: str
    arguments: tuple[Any, ...]


class Supervisor:
    """See the module."""

    def __init__(self, settings: Settings, namespace: str = NAMESPACE) -> None:
        self._settings = settings
        self._namespace = namespace
        self._log = (settings.log.level, settings.environment == "production")
        self._sizes = PoolSize(settings.actors.deliverers_min, settings.actors.deliverers_max, 0)
        self._deliverers = self._sizes.size
        self._finished: dict[str, int] = {}
        self._finished_at = time.monotonic()
        self._leaving: dict[str, asyncio.Task[Any]] = {}
        self._silent: dict[str, int] = {}
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Create the actors and begin to watch over them; idempotent."""
        if self._tasks:
            return
        url = self._settings.stores.database_url.get_secret_value()
        self._pool = await database.open_pool(url, size=POOL_SIZE, name="supervisor")
        await asyncio.to_thread(self._take_over)
        await asyncio.to_thread(self._ensure_all)
        self._tasks = [
            tasks.spawn(self._beat(), name="supervisor", eternal=True),
            tasks.spawn(
                maintenance.run(self._pool, self._settings.retention, self._settings.limits),
                name="maintenance",
                eternal=True,
            ),
            tasks.spawn(start_workers.run(self._pool, url, self._namespace), name="starts", eternal=True),
        ]

    def rest(self) -> None:
        """Watch no more; the actors go on."""
        for task in self._tasks:
            task.cancel()

    async def drain(self) -> None:
        """Let every actor finish what it has under way, from the chain's end to the receivers', and end it."""
        await tasks.cancel(*self._tasks, *self._leaving.values())
        for stage in self._stages():
            await asyncio.gather(*(self._retire(one.name) for one in stage))
        if self._tasks:
            await self._pool.close()

    # -- what should exist ------------------------------------------------------------------------------------------

    def _stages(self) -> Iterator[list[Wanted]]:
        """The wanted actors in the order of an event's way."""
        stores = self._settings.stores
        url, redis = stores.database_url.get_secret_value(), stores.redis_url.get_secret_value()
        count = self._settings.actors.evaluators
        yield [self._indexer(chain, url) for chain in self._settings.chains]
        listener = ListenerSettings(handles.LISTENER, url, count, self._namespace)
        yield [Wanted(Listener, handles.LISTENER, (listener,))]
        yield [self._evaluator(index, url, redis) for index in range(count)]
        yield [self._deliverer(index, url) for index in range(self._deliverers)]

    def _indexer(self, chain: Chain, url: str) -> Wanted:
        watched = watch(**chain.model_dump())
        return Wanted(Indexer, handles.indexer_name(chain.id), (watched, url))

    def _evaluator(self, index: int, url: str, redis: str) -> Wanted:
        name, actors = handles.evaluator_name(index), self._settings.actors
        settings = EvaluatorSettings(
            index=index,
            evaluators=actors.evaluators,
            name=name,
            database_url=url,
            redis_url=redis,
            deliverers_max=actors.deliverers_max,
            namespace=self._namespace,
        )
        return Wanted(Evaluator, name, (settings,))

    def _deliverer(self, index: int, url: str) -> Wanted:
        name = handles.deliverer_name(index)
        settings = DelivererSettings(
            database_url=url,
            secret_key=self._settings.secret_key.get_secret_value(),
            previous_secret_keys=self._settings.earlier_keys(),
            allowed_networks=self._settings.allowed_networks(),
            high_ports=self._settings.high_ports(),
            ipfs_gateways=self._settings.outbound.ipfs_gateways,
            identity_registries=tuple(identity_registries(self._settings.chains)),
            telegram_api=self._settings.telegram.api_base,
            telegram_token=self._settings.telegram.bot_token.get_secret_value(),
        )
        return Wanted(Deliverer, name, (name, settings))

    def _take_over(self) -> None:
        """Go on with the deliverers that an earlier supervisor left."""
        present = sum(map(handles.is_deliverer, handles.names(self._namespace)))
        actors = self._settings.actors
        self._sizes = PoolSize(actors.deliverers_min, actors.deliverers_max, present)
        self._deliverers = self._sizes.size

    def _ensure_all(self) -> None:
        for stage in self._stages():
            for one in stage:
                ensure(one.cls, one.name, *one.arguments, log=self._log, namespace=self._namespace)

    # -- watching ---------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await asyncio.to_thread(self._ensure_all)
                wanted = [one for stage in self._stages() for one in stage]
                await asyncio.gather(*(self._look_after(one) for one in wanted))
                await self._retire_others({one.name for one in wanted})
                await self._size_deliverers()
            except (RayError, *AWAY) as error:
                log.warning("beat_failed", error=repr(error))

    async def _retire_others(self, wanted: set[str]) -> None:
        """End actors that these settings do not ask for: of chains or evaluators that an earlier run had."""
        present = await asyncio.to_thread(handles.names, self._namespace)
        self._leaving = {name: task for name, task in self._leaving.items() if not task.done()}
        strange = present - wanted - self._leaving.keys()
        surplus = {name for name in strange if handles.is_deliverer(name)}
        for name in surplus:
            self._leaving[name] = tasks.spawn(self._let_go(name), name=f"let {name} go")
        await asyncio.gather(*(self._retire(name) for name in strange - surplus))

    async def _look_after(self, one: Wanted) -> None:
        """Replace an actor of another version or other settings; end one that has been silent for long."""
        name = one.name
        about = await handles.ask(name, "about", self._namespace)
        if about is None:
            self._silent[name] = self._silent.get(name, 0) + 1
            if self._silent[name] >= SILENT_BEATS:
                log.error("actor_silent", actor=name, beats=self._silent[name], remedy="it is ended and made anew")
                await asyncio.to_thread(self._end, name)
                self._silent.pop(name)
            return
        self._silent.pop(name, None)
        if about["fingerprint"] != fingerprint(*one.arguments):
            log.info("actor_replaced", actor=name, reason="it is of another version, or of other settings")
            await self._retire(name)

    async def _retire(self, name: str) -> None:
        await handles.ask(name, "drain", self._namespace, DRAIN_SECONDS)
        await asyncio.to_thread(self._end, name)

    def _end(self, name: str) -> None:
        handle = handles.find(name, self._namespace)
        if handle is not None:
            handles.end(handle)

    # -- how many deliverers ----------------------------------------------------------------------------------------

    async def _size_deliverers(self) -> None:
        """As many deliverers as the load asks for, within the settings. One that is not needed finishes first."""
        async with self._pool.acquire() as connection:
            depths = await status.open_delivery_counts(connection)
            due = await status.count_due(connection, self._settings.actors.deliverers_max * DUE_PER_DELIVERER)
        for state in ("pending", "retrying", "delivering"):
            metrics.queue_depth(depths[state], status=state)
        load = await self._load(due)
        if not self._leaving:  # one that leaves still has its name
            self._deliverers = self._sizes.beat(load)

    async def _load(self, due: int) -> Load:
        names = [handles.deliverer_name(index) for index in range(self._deliverers)]
        answers = await asyncio.gather(*(handles.ask(name, "status", self._namespace) for name in names))
        finished, now = {}, time.monotonic()
        for name, answer in zip(names, answers, strict=True):
            if answer is not None:
                finished[name] = sum(answer["outcomes"].values())
        since = now - self._finished_at
        more = sum(max(0, count - self._finished.get(name, count)) for name, count in finished.items())
        self._finished, self._finished_at = finished, now
        told = [answer for answer in answers if answer is not None]
        in_flight, slots = (sum(answer[key] for answer in told) for key in ("in_flight", "slots"))
        return Load(due, in_flight, slots, more / max(since, BEAT_SECONDS))

    async def _let_go(self, name: str) -> None:
        """End a deliverer that is not needed any more, when what it has under way has ended."""
        handle = await asyncio.to_thread(handles.find, name, self._namespace)
        if handle is not None:
            try:
                await handles.call(handle, "drain", LET_GO_SECONDS, seconds=LET_GO_SECONDS + DRAIN_SECONDS)
            except (RayError, TimeoutError) as error:
                log.warning("deliverer_not_drained", actor=name, error=repr(error), remedy="its leases end soon")
            await asyncio.to_thread(self._end, name)
