"""Whether PostgreSQL and Redis answer, asked within a bounded time and without raising."""

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from agentauri.store.database import AWAY, Pool

PING_SECONDS = 1.5


async def is_database_up(pool: Pool) -> bool:
    """Whether a query comes back in time."""
    try:
        async with asyncio.timeout(PING_SECONDS):
            async with pool.acquire() as connection:
                return bool(await connection.fetchval("SELECT true"))
    except AWAY:
        return False


class RedisProbe:
    """One connection to Redis that only asks whether it is there."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=PING_SECONDS, socket_connect_timeout=PING_SECONDS)

    async def is_up(self) -> bool:
        """Whether Redis answers PING in time."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
