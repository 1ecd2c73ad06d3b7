"""One connection to Redis that many callers share, to run one Lua script: what waits leaves together.

The client library spends about 140 microseconds of CPU on a command of its own; shared, and packed here, a command
costs a fifth of that under load. Every failure, of one answer or of the connection, fails all that are under way and
drops the connection; the next call makes a new one and loads the script again. Nothing is tried twice: a caller who
counts something must not count it double.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import NamedTuple, cast

from redis.asyncio import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

REDIS_AWAY = (RedisError, OSError)
"""What ``run`` raises when Redis is away, refuses or hangs (a TimeoutError is an OSError)."""

CONNECT_SECONDS = 1.0
"""For a new connection; callers who are less patient leave, and the next ones find it made."""
EXCHANGE_SECONDS = 1.0
"""For one batch, before the connection counts as dead."""
IDLE_SECONDS = 15.0
"""A connection that was silent for longer is replaced: on its death in the meantime the first caller would fail."""
BATCH = 128
MAX_WAITING = 4_096
CLOSED = "the connection to Redis was closed"

Part = str | bytes | int


class _Call(NamedTuple):
    command: tuple[Part, ...]
    answer: "asyncio.Future[bytes]"


class ScriptLine:
    """Runs ``script``, which has to answer a string. Belongs to one event loop."""

    def __init__(self, pool: ConnectionPool, script: str) -> None:
        self._pool, self._script = pool, script  # the pool only knows how a connection is made
        self._connection: Connection | None = None
        self._sha: bytes = b""
        self._used_at = 0.0
        self._waiting: list[_Call] = []
        self._worker: asyncio.Task[None] | None = None

    async def run(self, keys: Iterable[Part], arguments: Iterable[Part], seconds: float) -> bytes:
        """The script's answer, waited for ``seconds``. Raises REDIS_AWAY; whether it ran is then not known."""
        if len(self._waiting) >= MAX_WAITING:
            raise RedisConnectionError("too many calls wait for Redis")
        keys = tuple(keys)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append(_Call((len(keys), *keys, *arguments), answer))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="redis script")
        patience = loop.call_later(seconds, _give_up, answer)  # asyncio.timeout costs three times as much
        try:
            return await answer
        finally:
            patience.cancel()

    async def close(self) -> None:
        """End what is under way, and the connection."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
            self._worker = None
        self._fail([], RedisConnectionError(CLOSED))  # a worker that had not begun has left them
        await self._drop()

    async def _work(self) -> None:
        """Exchange batches until nobody waits."""
        batch: list[_Call] = []
        reason: BaseException = RedisConnectionError(CLOSED)
        try:
            while self._waiting:
                connection = await self._connected()
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                async with asyncio.timeout(EXCHANGE_SECONDS):
                    await self._exchange(connection, batch)
        except BaseException as error:
            await self._drop()
            if not isinstance(error, REDIS_AWAY):
                raise
            reason = error
        finally:
            self._worker = None
            self._fail(batch, reason)

    def _fail(self, batch: list[_Call], reason: BaseException) -> None:
        """Let ``batch`` and all who wait go without an answer, but for those who have one."""
        left, self._waiting = [*batch, *self._waiting], []
        for call in left:
            if not call.answer.done():
                call.answer.set_exception(reason)

    async def _exchange(self, connection: Connection, batch: list[_Call]) -> None:
        packed = b"".join([pack("EVALSHA", self._sha, *call.command) for call in batch])
        await connection.send_packed_command(packed, check_health=False)
        for call in batch:
            answer = await connection.read_response()
            if not call.answer.done():  # a caller may have left
                call.answer.set_result(cast(bytes, answer))
        self._used_at = time.monotonic()

    async def _connected(self) -> Connection:
        if self._connection is not None and time.monotonic() - self._used_at > IDLE_SECONDS:
            await self._drop()
        if self._connection is None:
            async with asyncio.timeout(CONNECT_SECONDS):
                made = self._pool.make_connection()  # type: ignore[no-untyped-call]  # the library forgot its types
                self._connection = connection = cast(Connection, made)
                await connection.send_command("SCRIPT LOAD", self._script)
                self._sha = cast(bytes, await connection.read_response())
            self._used_at = time.monotonic()
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def _give_up(answer: "asyncio.Future[bytes]") -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())


def pack(*parts: Part) -> bytes:
    """A command in Redis's protocol; the library's own packing takes four times as long."""
    texts = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(texts) + b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in texts])


def open_line(url: str, script: str) -> ScriptLine:
    """A line of its own to the Redis at ``url``; it connects at its first call."""
    once = Retry(NoBackoff(), 0)
    pool = ConnectionPool.from_url(url, protocol=2, socket_timeout=None, socket_connect_timeout=None, retry=once)
    return ScriptLine(pool, script)
