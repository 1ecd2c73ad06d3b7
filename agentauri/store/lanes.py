"""Lanes as leased rows: which deliverer looks after which host (protocol P22, P23), and which deliverers there are.

A lane has one owner at a time; a new one waits for its release or its end, by the database's clock. Claims check the
lease again, so an owner that has lost a lane without knowing it takes nothing more.
"""

# all organizations: a lane is a host, whoever sends there

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from agentauri.store.database import Connection

FORGET_AFTER = "1 hour"

BEAT_SQL = """
    WITH alive AS (
        INSERT INTO deliverers (token, name, lease_until)
        VALUES ($1, $2, statement_timestamp() + make_interval(secs => $3))
        ON CONFLICT (token) DO UPDATE SET lease_until = excluded.lease_until)
    UPDATE lanes SET lease_until = statement_timestamp() + make_interval(secs => $3)
    WHERE owner_token = $1 RETURNING lane"""

COUNTS_SQL = """
    SELECT (SELECT count(*) FROM deliverers WHERE lease_until > statement_timestamp()) AS deliverers,
        (SELECT count(*) FROM lanes WHERE lease_until > statement_timestamp()) AS lanes"""

TAKE_SQL = """
    INSERT INTO lanes AS l (lane, owner, owner_token, lease_until)
    SELECT lane, $2, $3, statement_timestamp() + make_interval(secs => $4) FROM unnest($1::text[]) AS w (lane)
    ORDER BY lane
    ON CONFLICT (lane) DO UPDATE SET owner = excluded.owner, owner_token = excluded.owner_token,
        lease_until = excluded.lease_until
    WHERE l.lease_until <= statement_timestamp() OR l.owner_token = excluded.owner_token
    RETURNING lane"""

UNOWNED_SQL = """
    WITH RECURSIVE walk AS (
        (SELECT lane FROM deliveries WHERE status IN ('pending', 'retrying') ORDER BY lane LIMIT 1)
        UNION ALL
        SELECT n.lane FROM walk AS w CROSS JOIN LATERAL (
            SELECT d.lane FROM deliveries AS d WHERE d.status IN ('pending', 'retrying') AND d.lane > w.lane
            ORDER BY d.lane LIMIT 1) AS n)
    SELECT w.lane FROM walk AS w LEFT JOIN lanes AS l ON l.lane = w.lane AND l.lease_until > statement_timestamp()
    WHERE l.lane IS NULL"""

RELEASE_SQL = """
    UPDATE lanes SET owner = '', owner_token = NULL, lease_until = '-infinity'
    WHERE owner_token = $1 AND lane = ANY($2::text[])"""

LEAVE_SQL = """
    WITH gone AS (DELETE FROM deliverers WHERE token = $1)
    UPDATE lanes SET owner = '', owner_token = NULL, lease_until = '-infinity' WHERE owner_token = $1"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many deliverers are alive and how many lanes are leased."""

    deliverers: int
    lanes: int


async def beat(connection: Connection, token: UUID, name: str, lease_seconds: float) -> frozenset[str]:
    """Say that this deliverer lives, renew what it leases, and return the lanes that are still its own."""
    rows = await connection.fetch(BEAT_SQL, token, name, lease_seconds)
    return frozenset(row["lane"] for row in rows)


async def count(connection: Connection) -> Counts:
    """Deliverers and lanes that are alive."""
    row = await connection.fetchrow(COUNTS_SQL)
    assert row is not None
    return Counts(row["deliverers"], row["lanes"])


async def take(
    connection: Connection, token: UUID, name: str, lanes: Iterable[str], lease_seconds: float
) -> frozenset[str]:
    """Lease those of ``lanes`` that nobody leases now, and return them."""
    rows = await connection.fetch(TAKE_SQL, sorted(set(lanes)), name, token, lease_seconds)
    return frozenset(row["lane"] for row in rows)


async def list_unowned(connection: Connection) -> list[str]:
    """Every lane with open rows that nobody leases; one index probe a lane."""
    return [row["lane"] for row in await connection.fetch(UNOWNED_SQL)]


async def release(connection: Connection, token: UUID, lanes: Iterable[str]) -> None:
    """Give lanes to whoever comes next."""
    await connection.execute(RELEASE_SQL, token, sorted(lanes))


async def leave(connection: Connection, token: UUID) -> None:
    """Give up all lanes and be counted no more."""
    await connection.execute(LEAVE_SQL, token)


async def prune(connection: Connection) -> None:
    """Forget lanes and deliverers that have been away for an hour, but no lane whose server asked to be left alone."""
    away = f"lease_until < statement_timestamp() - interval '{FORGET_AFTER}'"
    await connection.execute(f"DELETE FROM deliverers WHERE {away}")
    await connection.execute(
        f"DELETE FROM lanes WHERE {away} AND coalesce(paused_until <= statement_timestamp(), true)"
    )
