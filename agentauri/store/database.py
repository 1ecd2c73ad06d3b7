"""Connections to PostgreSQL: pools, the dedicated LISTEN connection, and the checks made before any is used.

Guarantees time-outs on every statement and bounded pools. Does not open transactions: callers do, in one visible place.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from agentauri.errors import StartError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a query raises when the server is away, too slow (TimeoutError is an OSError), shutting down or demoted, or gave
up a transaction that waited too long for a lock: nothing happened, and trying again helps."""

ANY_FAILURE = (*AWAY, asyncpg.PostgresError)
"""What a query raises, whoever is to blame."""

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
STATEMENT_MS = 60_000
UNHEARD_MS = 25_000
"""A peer that does not acknowledge for so long is gone: keep-alives are not sent while a notification is under way."""
IDLE_IN_TRANSACTION_MS = 5_000
"""A writer that hangs inside a transaction holds the log's lock; the server ends it (protocol P2)."""


def _settings(name: str) -> dict[str, str]:
    return {
        "application_name": f"agentauri {name}",
        "timezone": "UTC",
        "statement_timeout": str(STATEMENT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": str(UNHEARD_MS),
    }


JSONB_VERSION = b"\x01"
"""First byte of jsonb in PostgreSQL's binary protocol; COPY knows no other than the binary form."""


def _encode_jsonb(value: Any) -> bytes:
    return JSONB_VERSION + orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def _decode_jsonb(raw: bytes) -> Any:
    return orjson.loads(memoryview(raw)[1:])


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=_decode_jsonb, format="binary"
    )
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=orjson.dumps, decoder=orjson.loads, format="binary"
    )


async def _keep_session(_connection: Connection) -> None:
    """Nothing to undo: asyncpg has rolled back what was open, and nobody changes a session beyond its transaction."""


async def open_pool(url: str, *, size: int, name: str, reset: bool = True) -> Pool:
    """A pool of at most ``size`` connections that speak jsonb as Python values. Raises StartError if unreachable.

    ``reset=False`` saves a round trip at each release, for users that set nothing and lock nothing in the session.
    """
    try:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            init=_prepare,
            reset=None if reset else _keep_session,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings=_settings(name),
        )
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise StartError(unreachable(url, error)) from error


async def connect(url: str, *, name: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside any pool: for LISTEN, session locks and migrations. Raises StartError."""
    try:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS, server_settings=_settings(name)
        )
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise StartError(unreachable(url, error)) from error
    return await prepared(connection, _prepare)


async def prepared(
    connection: "asyncpg.Connection[asyncpg.Record]", prepare: Callable[[Connection], Awaitable[Any]]
) -> "asyncpg.Connection[asyncpg.Record]":
    """The connection after ``prepare``; one whose preparation fails, or is cancelled, is left open by nobody."""
    try:
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


def unreachable(url: str, error: Exception) -> str:
    """One line without the password that says which server, why, and what to check."""
    parts = urlsplit(url)
    place = f"{parts.hostname or 'local socket'}:{parts.port or 5432}{parts.path}"
    return f"PostgreSQL at {place} cannot be used ({type(error).__name__}: {error}); check DATABASE_URL and the server."


async def check_server(connection: Connection) -> None:
    """Refuse servers that cannot keep the promises: too old, or commits that are not durable (protocol P16)."""
    if connection.get_server_version() < (15, 0):
        raise StartError("PostgreSQL 15 or newer is needed; DATABASE_URL points to an older server.")
    durable = await connection.fetchval("SHOW synchronous_commit")
    if durable == "off":
        raise StartError("PostgreSQL has synchronous_commit = off; set it to on, or events can be lost.")
