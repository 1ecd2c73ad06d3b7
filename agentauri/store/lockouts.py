"""Failed logins in a row and the locks that follow, counted so that every replica sees the same.

A failure counts only while nothing is locked, in the statement that would lock it: of any number of wrong passwords
at once, as many are told to be wrong as were left, and the rest find the lock. The rules are ``accounts/lockout.py``'s
and come in as a schedule. Does not decide who is a subject.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agentauri.store.database import Connection

LOCKED_SQL = """
    SELECT ceil(extract(epoch FROM max(locked_until) - clock_timestamp()))::int
    FROM lockouts WHERE subject IN ($1, $2) AND locked_until > clock_timestamp()"""

HOLD_SQL = """
    SELECT greatest(ceil(extract(epoch FROM greatest(locked_until, to_timestamp(0)) - clock_timestamp())), 0)::int
        AS seconds
    FROM lockouts WHERE subject IN ($1, $2) ORDER BY subject FOR UPDATE"""

FAIL_SQL = """
    WITH counted AS (
        INSERT INTO lockouts AS l (subject, failures)
        SELECT subject, 1 FROM unnest(ARRAY[$1, $2]::bytea[]) AS s (subject) WHERE subject IS NOT NULL ORDER BY subject
        ON CONFLICT (subject) DO UPDATE SET failures = l.failures + 1, updated_at = now(),
            locked_until = clock_timestamp() + ($3::int[])[least(l.failures + 1, cardinality($3))] * interval '1 second'
        WHERE l.locked_until <= clock_timestamp()
        RETURNING subject, locked_until > clock_timestamp() AS locks),
    paired AS (
        INSERT INTO lockout_pairs AS p (account, client, failures)
        SELECT $1, $2, 1 FROM counted HAVING bool_or(subject = $2)
        ON CONFLICT (account, client) DO UPDATE SET failures = p.failures + 1, updated_at = now())
    SELECT subject, locks FROM counted"""
"""The pair comes after both subjects, as everywhere: whoever waits for a lock holds none that another waits for."""

FORGET_SQL = """
    WITH pair AS (DELETE FROM lockout_pairs WHERE account = $1 AND client = $2 RETURNING failures),
        gone AS (DELETE FROM lockouts WHERE subject = $1)
    UPDATE lockouts AS l SET failures = greatest(l.failures - pair.failures, 0), updated_at = now(),
        locked_until = CASE WHEN l.failures - pair.failures < $3 THEN '-infinity' ELSE l.locked_until END
    FROM pair WHERE l.subject = $2"""


@dataclass(frozen=True, slots=True)
class Failure:
    """What became of one. ``counted``: nothing was locked, so whoever failed may know; the others: what it locks."""

    counted: bool
    locks_account: bool
    locks_client: bool


async def find_lock(connection: Connection, account: bytes, client: bytes | None) -> int | None:
    """For how many seconds from now the account or the client is locked; None: it is not."""
    found: int | None = await connection.fetchval(LOCKED_SQL, account, client)
    return found


async def hold(connection: Connection, account: bytes, client: bytes | None) -> int | None:
    """For how many seconds there is a lock, 0: for none, None: nothing counts against either.

    Failures that are counted meanwhile wait until the caller's transaction ends.
    """
    rows = await connection.fetch(HOLD_SQL, account, client)
    return max((row["seconds"] for row in rows), default=None)


async def record_failure(
    connection: Connection, account: bytes, client: bytes | None, schedule: Sequence[int]
) -> Failure:
    """Count a failure. ``schedule``: seconds of the lock after 1, 2, 3 … failures in a row."""
    rows = await connection.fetch(FAIL_SQL, account, client, list(schedule))
    locked = {row["subject"] for row in rows if row["locks"]}
    return Failure(len(rows) == (1 if client is None else 2), account in locked, client in locked)


async def forget(connection: Connection, account: bytes, client: bytes | None, allowance: int) -> None:
    """A success: nothing counts against the account any more, and against the client what it did elsewhere.

    So nobody can go on guessing by logging in to an own account in between.
    """
    await connection.execute(FORGET_SQL, account, client, allowance)


async def delete_old(connection: Connection, before: datetime, limit: int) -> int:
    """One batch of what nothing was added to since ``before`` and that locks nothing; returns how many."""
    answer = await connection.execute(
        """DELETE FROM lockouts WHERE subject IN (
            SELECT subject FROM lockouts WHERE updated_at < $1 AND locked_until < now() LIMIT $2)""",
        before,
        limit,
    )
    return int(answer.removeprefix("DELETE "))


async def delete_old_pairs(connection: Connection, before: datetime, limit: int) -> int:
    """One batch of pairs that nothing was added to since ``before``; returns how many."""
    answer = await connection.execute(
        """DELETE FROM lockout_pairs WHERE (account, client) IN (
            SELECT account, client FROM lockout_pairs WHERE updated_at < $1 LIMIT $2)""",
        before,
        limit,
    )
    return int(answer.removeprefix("DELETE "))
