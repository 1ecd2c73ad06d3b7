"""What keeps the tables fit: months made ahead, versions that nothing can need dropped, retention (P10, P17).

Each function is one short transaction's worth; the caller decides when.
"""

# all organizations: retention is the deployment's

from datetime import UTC, datetime, timedelta

from agentauri.store import events
from agentauri.store.database import Connection
from agentauri.store.places import RELOCATED

MONTHS_AHEAD = 2
DROP_LOCK_MS = 2_000
"""A drop waits so long for running queries; longer, and every new query would wait behind it."""
BATCH_ROWS = 5_000
"""Rows that one statement deletes or releases: short locks, whatever has piled up."""

FINAL_SQL = """
    SELECT least(
        (SELECT min(last_seq) FROM partitions),
        (SELECT min(e.seq) - 1 FROM chains AS c CROSS JOIN LATERAL (
            SELECT min(seq) AS seq FROM (SELECT seq FROM events
            WHERE chain_id = c.chain_id AND block_number > c.final_block OFFSET 0) AS open) AS e
         WHERE $1::timestamptz IS NULL OR c.updated_at >= $1))"""

THIN_SQL = """
    DELETE FROM trigger_state AS s USING (
        SELECT partition, last_seq, row_number() OVER (
            PARTITION BY partition, date_trunc(CASE
                WHEN created_at >= $2::timestamptz - interval '1 hour' THEN 'minute'
                WHEN created_at >= $2::timestamptz - interval '1 day' THEN 'hour'
                ELSE 'day' END, created_at, 'UTC')
            ORDER BY last_seq DESC) AS place
        FROM trigger_state WHERE last_seq > $1) AS ranked
    WHERE s.partition = ranked.partition AND s.last_seq = ranked.last_seq AND ranked.place > 1"""

VERSIONS_SQL = """
    DELETE FROM trigger_versions AS v USING (
        SELECT trigger_id, max(from_seq) AS newest FROM trigger_versions WHERE from_seq <= $1 GROUP BY trigger_id
    ) AS kept
    WHERE v.trigger_id = kept.trigger_id AND (v.from_seq < kept.newest
        OR (v.from_seq = kept.newest AND v.definition IS NULL))"""

NEEDED_SQL = """
    SELECT least($1, min(p.last_seq), min(coalesce(s.seq, v.seq, p.last_seq)))
    FROM partitions AS p
    LEFT JOIN (
        SELECT partition, min(last_seq) AS seq FROM trigger_state AS t
        WHERE last_seq <= $1 AND NOT EXISTS (
            SELECT FROM retractions AS r WHERE r.first_retracted_seq <= t.last_seq AND t.last_seq < r.seq)
        GROUP BY partition) AS s USING (partition)
    LEFT JOIN (SELECT partition, min(from_seq) - 1 AS seq FROM trigger_versions WHERE keeps_state GROUP BY partition)
        AS v USING (partition)"""

BEGUN_SQL = """
    SELECT least($1, min(after_seq)) FROM trigger_starts WHERE status = 'working' OR joined_seq > $1"""

JOINED_SQL = """
    UPDATE trigger_starts SET state = NULL, changes = NULL, base_state = NULL
    WHERE joined_seq <= $1 AND (state IS NOT NULL OR base_state IS NOT NULL)"""

MONTHS_SQL = r"""
    SELECT c.relname::text FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_\d{4}_\d\d$' ORDER BY 1"""

DELIVERIES_SQL = """
    DELETE FROM deliveries WHERE id IN (
        SELECT id FROM deliveries WHERE status IN ('delivered', 'dead', 'cancelled', 'suppressed')
            AND updated_at < $1 LIMIT $2)"""

RELEASE_SQL = f"""
    UPDATE deliveries AS d SET status = 'pending', status_code = NULL, status_reason = NULL, next_attempt_at = now(),
        updated_at = now(), {RELOCATED}
    FROM trigger_actions AS a
    WHERE a.id = d.action_id AND a.organization_id = d.organization_id AND a.enabled AND d.status = 'held' AND d.id IN (
        SELECT h.id FROM deliveries AS h JOIN trigger_actions AS b ON b.id = h.action_id
        WHERE h.status = 'held' AND h.status_code = 'action_disabled' AND b.enabled
        LIMIT $1 FOR UPDATE OF h SKIP LOCKED)"""

ATTEMPTS_SQL = """
    DELETE FROM delivery_attempts WHERE (delivery_id, number, started_at) IN (
        SELECT delivery_id, number, started_at FROM delivery_attempts WHERE started_at < $1 LIMIT $2)"""

AUDIT_SQL = """
    DELETE FROM audit_log WHERE id IN (SELECT id FROM audit_log WHERE created_at < $1 ORDER BY created_at LIMIT $2)"""


def months_ahead(now: datetime) -> list[datetime]:
    """The first moments of this month and the next ones."""
    months = [now.year * 12 + now.month - 1 + ahead for ahead in range(MONTHS_AHEAD + 1)]
    return [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]


async def ensure_attempts_month(connection: Connection, month: datetime) -> None:
    """Make the partition of a month of attempts, as ``events.ensure_month``: in a transaction of its own."""
    await connection.execute(f"SET LOCAL lock_timeout = {events.MONTH_LOCK_MS}")
    await connection.execute("SELECT attempts_ensure_month($1)", month)


async def final_seq(connection: Connection, silent_before: datetime | None = None) -> int:
    """No retraction can reach down to this seq, and every partition is past it.

    Chains of which nothing was heard since ``silent_before`` are watched no more and do not count; None: all count.
    """
    found: int | None = await connection.fetchval(FINAL_SQL, silent_before)
    return found or 0


async def thin_snapshots(connection: Connection, final_seq: int, now: datetime) -> int:
    """Thin the snapshots that a retraction may still need, when a chain has long not become final; returns how many.

    Of each partition's above ``final_seq``, the newest of every minute stays for an hour, of every hour for a day, of
    every day for good: replays begin earlier, and the table stays small.
    """
    answer = await connection.execute(THIN_SQL, final_seq, now)
    return int(answer.removeprefix("DELETE "))


async def needed_seq(connection: Connection, final_seq: int) -> int:
    """No replay, and none after a retraction, needs an event or an older version below this seq (protocol P7, P10).

    A snapshot above ``final_seq`` may be of no use after a retraction; a partition that has no other is replayed from
    before its first stateful trigger.
    """
    found: int = await connection.fetchval(NEEDED_SQL, final_seq)
    return found


async def prune_versions(connection: Connection, needed: int) -> int:
    """Drop versions that ended at or before ``needed``; returns how many (protocol P7)."""
    answer = await connection.execute(VERSIONS_SQL, needed)
    return int(answer.removeprefix("DELETE "))


async def begun_seq(connection: Connection, needed: int) -> int:
    """``needed``, or less: what triggers begin with that begin in the past, now or in a replay that meets them."""
    found: int = await connection.fetchval(BEGUN_SQL, needed)
    return found


async def forget_joined(connection: Connection, needed: int) -> int:
    """Drop what triggers remembered where they joined the log, if no replay comes by there; returns how many."""
    answer = await connection.execute(JOINED_SQL, needed)
    return int(answer.removeprefix("UPDATE "))


async def drop_month(connection: Connection, needed: int, now: datetime, days: int) -> str | None:
    """Drop the oldest month of events that is wholly older than ``days`` and not above ``needed``; its name, or None.

    Runs in a transaction of its own: it locks the whole table for the moment that a drop takes, and looks again under
    that lock, because a back-fill may have written into the month since, or a trigger been made to begin in it.
    """
    oldest_kept = f"events_{now - timedelta(days=days):%Y_%m}"
    months: list[str] = [row[0] for row in await connection.fetch(MONTHS_SQL)]
    for month in months:
        if month >= oldest_kept:
            return None
        if await _last_seq(connection, month) > needed:
            continue
        await connection.execute(f"SET LOCAL lock_timeout = {DROP_LOCK_MS}")
        await connection.execute(f"LOCK TABLE ONLY events, {month} IN ACCESS EXCLUSIVE MODE")
        last_seq = await _last_seq(connection, month)
        if last_seq > await begun_seq(connection, needed):
            return None
        await connection.execute("UPDATE dropped_events SET upto = greatest(upto, $1)", last_seq)
        await connection.execute(f"DROP TABLE {month}")
        return month
    return None


async def _last_seq(connection: Connection, month: str) -> int:
    found: int | None = await connection.fetchval(f"SELECT max(seq) FROM {month}")
    return found or 0


async def release_held(connection: Connection) -> int:
    """Queue one batch of what is held though its action is enabled; returns how many.

    A firing that was committed beside the enabling of its action is held, and unseen by the release that came with it.
    """
    answer = await connection.execute(RELEASE_SQL, BATCH_ROWS)
    return int(answer.removeprefix("UPDATE "))


async def delete_deliveries(connection: Connection, now: datetime, days: int) -> int:
    """One batch of finished deliveries older than ``days``; returns how many."""
    answer = await connection.execute(DELIVERIES_SQL, now - timedelta(days=days), BATCH_ROWS)
    return int(answer.removeprefix("DELETE "))


async def delete_attempts(connection: Connection, now: datetime, days: int) -> int:
    """One batch of attempts older than ``days``; returns how many."""
    answer = await connection.execute(ATTEMPTS_SQL, now - timedelta(days=days), BATCH_ROWS)
    return int(answer.removeprefix("DELETE "))


async def delete_audit(connection: Connection, now: datetime, days: int) -> int:
    """One batch of audit entries older than ``days``; returns how many."""
    answer = await connection.execute(AUDIT_SQL, now - timedelta(days=days), BATCH_ROWS)
    return int(answer.removeprefix("DELETE "))
