"""Asks every part whether it is there, at most twice a second however often the route is called."""

import asyncio
import time
from dataclasses import dataclass

import ray
from ray.exceptions import RayError

from agentauri import __version__
from agentauri.store.database import Pool
from agentauri.store.health import RedisProbe, is_database_up

CACHE_SECONDS = 0.5
CLUSTER_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; ``asked_at`` by the monotonic clock."""

    database: bool
    redis: bool
    cluster: bool
    asked_at: float

    @property
    def healthy(self) -> bool:
        """Whether every part is there."""
        return self.database and self.redis and self.cluster

    def public(self) -> dict[str, str]:
        """As the route answers it."""
        return {
            "status": "healthy" if self.healthy else "unhealthy",
            "database": _link(self.database),
            "redis": _link(self.redis),
            "cluster": _link(self.cluster),
            "version": __version__,
        }


def _link(up: bool) -> str:
    return "connected" if up else "disconnected"


class Monitor:
    """Keeps the last report for a moment; callers at the same time share one round of questions."""

    def __init__(self, pool: Pool, redis: RedisProbe) -> None:
        self._pool, self._redis = pool, redis
        self._last: Report | None = None
        self._asking = asyncio.Lock()

    async def report(self) -> Report:
        """The state of every part, at most half a second old."""
        async with self._asking:
            if self._last is None or time.monotonic() - self._last.asked_at > CACHE_SECONDS:
                database, redis, cluster = await asyncio.gather(
                    is_database_up(self._pool), self._redis.is_up(), is_cluster_up()
                )
                self._last = Report(database, redis, cluster, time.monotonic())
            return self._last


async def is_cluster_up() -> bool:
    """Whether this process belongs to a Ray cluster whose head answers in time."""
    if not ray.is_initialized():
        return False
    try:
        return bool(await asyncio.wait_for(asyncio.to_thread(ray.nodes), CLUSTER_SECONDS))
    except (TimeoutError, RayError, ConnectionError):
        return False
