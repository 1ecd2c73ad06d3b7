"""A connection that one task keeps for itself, opened anew after it broke.

For loops that ask the database hundreds of times a second, where going through a pool costs a round trip each.
Not for several tasks at once.
"""

from collections.abc import Awaitable, Callable

import asyncpg

from agentauri.errors import StartError
from agentauri.store.database import AWAY

TRY_AGAIN = (*AWAY, asyncpg.TransactionRollbackError, StartError)
"""What a statement on a held connection raises when nothing is wrong with it: drop the connection, and do it again."""


class Held:
    """``connect`` opens a connection and may raise StartError."""

    def __init__(self, connect: "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]") -> None:
        self._connect = connect
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def get(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The connection, opened if there is none that works. Raises StartError."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection

    def drop(self) -> None:
        """Something failed on it: let the next ``get`` open another."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Close it for good."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
