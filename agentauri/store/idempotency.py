"""Answers kept under a caller's Idempotency-Key, written in the transaction of what they answer for.

So an effect without its answer, or an answer without its effect, cannot be. Bodies are sealed by the caller of this
module: some carry secrets that are shown once.
"""

from dataclasses import dataclass

from agentauri.store.database import Connection
from agentauri.store.maintenance import BATCH_ROWS

KEPT_HOURS = 24
LOCK_SQL = "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 0))"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a request was answered with; ``request`` is the hash of what was asked."""

    request: bytes
    status: int
    media_type: str
    sealed: bytes


async def try_lock(connection: Connection, caller: str, key: str) -> bool:
    """Whether nobody else works under this key now; it is the caller's until the transaction ends."""
    return bool(await connection.fetchval(LOCK_SQL, caller, key))


async def find_answer(connection: Connection, caller: str, key: str) -> StoredAnswer | None:
    """What a request under this key was answered with in the last 24 hours."""
    row = await connection.fetchrow(
        """SELECT request, status, media_type, sealed FROM idempotency_keys
           WHERE caller = $1 AND key = $2 AND created_at > now() - $3 * interval '1 hour'""",
        caller,
        key,
        KEPT_HOURS,
    )
    return None if row is None else StoredAnswer(*row)


async def keep_answer(connection: Connection, caller: str, key: str, answer: StoredAnswer) -> None:
    """Keep an answer; one that is older than 24 hours gives way."""
    await connection.execute(
        """INSERT INTO idempotency_keys (caller, key, request, status, media_type, sealed)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (caller, key) DO UPDATE SET request = excluded.request, status = excluded.status,
               media_type = excluded.media_type, sealed = excluded.sealed, created_at = now()""",
        caller,
        key,
        answer.request,
        answer.status,
        answer.media_type,
        answer.sealed,
    )


async def purge(connection: Connection) -> int:
    """Delete some answers that are kept no longer, and return how many."""
    answer = await connection.execute(
        """DELETE FROM idempotency_keys WHERE (caller, key) IN (
               SELECT caller, key FROM idempotency_keys WHERE created_at < now() - $1 * interval '1 hour' LIMIT $2)""",
        KEPT_HOURS,
        BATCH_ROWS,
    )
    return int(answer.removeprefix("DELETE "))
