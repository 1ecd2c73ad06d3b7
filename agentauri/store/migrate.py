"""Forward-only migrations: the sorted ``NNNN_noun.sql`` files, each once, in a transaction, with its checksum kept.

A changed or missing file of a database that has run it is an error, never a guess. A first line
``-- no-transaction`` runs a file outside a transaction (for CREATE INDEX CONCURRENTLY). Several runners may start
at once: one works, the others wait by polling (the blocking lock call would deadlock with a concurrent index).
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from agentauri.errors import MigrationError
from agentauri.store.database import Connection

FOLDER = Path(__file__).resolve().parents[2] / "migrations"
NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
LOCK = (8004, 100)
LOCK_POLL_SECONDS = 0.2
LOCK_WAIT_SECONDS = 120.0
TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, text, and the SHA-256 of the text."""

    name: str
    sql: str
    sha256: str


def read(folder: Path = FOLDER) -> list[Migration]:
    """All migrations in order. Raises MigrationError on a stray name or an empty folder."""
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise MigrationError(f"no migrations found in {folder}; the installation is incomplete.")
    for file in files:
        if not NAME.fullmatch(file.name):
            raise MigrationError(f"{file.name} is not named NNNN_noun.sql.")
    texts = [(file.name, file.read_text("utf-8")) for file in files]
    return [Migration(name, text, hashlib.sha256(text.encode()).hexdigest()) for name, text in texts]


async def migrate(
    connection: Connection, migrations: list[Migration] | None = None, applied: Callable[[str], None] = lambda _: None
) -> int:
    """Apply what is missing and return how many files that were; ``applied`` hears each name.

    Raises MigrationError when history differs, a file fails, or another runner holds on for two minutes.
    """
    wanted = read() if migrations is None else migrations
    await _lock(connection)
    try:
        await connection.execute(TABLE)
        done = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migrations")}
        _check_history(wanted, done)
        missing = [migration for migration in wanted if migration.name not in done]
        for migration in missing:
            await _apply(connection, migration)
            applied(migration.name)
        return len(missing)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", *LOCK)


async def pending(connection: Connection) -> list[str]:
    """Names of migrations that this database has not run."""
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        return [migration.name for migration in read()]
    done = {row["name"] for row in await connection.fetch("SELECT name FROM migrations")}
    return [migration.name for migration in read() if migration.name not in done]


async def _lock(connection: Connection) -> None:
    for _ in range(int(LOCK_WAIT_SECONDS / LOCK_POLL_SECONDS)):
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *LOCK):
            return
        await asyncio.sleep(LOCK_POLL_SECONDS)
    raise MigrationError("another process has been migrating this database for two minutes; look at pg_stat_activity.")


def _check_history(wanted: list[Migration], done: dict[str, str]) -> None:
    known = {migration.name: migration.sha256 for migration in wanted}
    for name, sha256 in done.items():
        if name not in known:
            raise MigrationError(f"the database has run {name}, which this version does not have; use a newer version.")
        if known[name] != sha256:
            raise MigrationError(f"{name} was changed after this database ran it; restore it and add a new migration.")


async def _apply(connection: Connection, migration: Migration) -> None:
    record = "INSERT INTO migrations (name, sha256) VALUES ($1, $2)"
    try:
        if migration.sql.startswith("-- no-transaction"):
            await connection.execute(migration.sql)
            await connection.execute(record, migration.name, migration.sha256)
            return
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '5s'")
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute(migration.sql)
            await connection.execute(record, migration.name, migration.sha256)
    except asyncpg.PostgresError as error:
        raise MigrationError(f"{migration.name} failed: {error}") from error
