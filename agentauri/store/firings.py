"""What an evaluator writes in step ② of its commit: deliveries, counters, ledger and errors (protocol P14, P19).

Rows are inserted in the order of their ids, so that two writers cannot deadlock, and only for actions that still
exist; a row that exists is left alone. A disabled action, a paused organization, a full queue and a trigger's circuit
breaker choose a row's status here, and nothing else; what a pause that commits meanwhile misses, the claim holds.
"""

# all organizations: an evaluator writes for all triggers of its partitions; rows take the organization of their action

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from agentauri.models.delivery import StatusCode
from agentauri.store.breakers import OPEN_CODE, OPEN_REASON, PROBE_CODE, PROBE_REASON, STATE
from agentauri.store.database import Connection
from agentauri.store.partitions import Owned, advance_columns, fencing
from agentauri.store.pausing import PAUSED_CODE, PAUSED_REASON
from agentauri.store.places import located


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One action to be taken for one event; ``context`` is what templates and the envelope are made of."""

    id: UUID
    trigger_id: UUID
    action_id: UUID
    event_id: UUID
    event_seq: int
    context: dict[str, Any]
    size: int = 0
    """About how many bytes it takes on the wire."""
    keeps_state: bool = True
    """Whether its trigger remembers earlier events."""
    fired_at: int = 0
    """When it fired by its chain, seconds since 1970."""
    day: date = date.min
    """Of the event that it is about."""


@dataclass(slots=True)
class Tally:
    """Counts of one trigger on one day of block time."""

    trigger_id: UUID
    day: date
    matched: int = 0
    cooled_down: int = 0
    fired: int = 0
    last_fired: int = 0
    """Block time of the newest firing, seconds since 1970; 0: none."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A trigger that failed on events ``count`` times in a row, and how (protocol P4)."""

    trigger_id: UUID
    error: str
    count: int


QUEUE_FULL_CODE = StatusCode.QUEUE_FULL.value
QUEUE_FULL_REASON = "As many deliveries wait as the plan of the organization allows."
DISABLED_CODE = StatusCode.ACTION_DISABLED.value
DISABLED_REASON = "The system disabled the action."

INSERT_SQL = f"""
    WITH chosen AS MATERIALIZED (
        SELECT n.*, a.organization_id, a.action_type, {located("a.destination", "n.context")} AS destination,
            {located("a.lane", "n.context")} AS lane, a.priority,
            a.config -> 'retry' ->> 0 AS first_wait, {STATE} AS breaker, b.half_open_max_calls AS places,
            CASE WHEN o.queue_full_at IS NOT NULL THEN '{QUEUE_FULL_CODE}'
                WHEN NOT a.enabled THEN '{DISABLED_CODE}'
                WHEN o.paused_at IS NOT NULL THEN '{PAUSED_CODE}' END AS code,
            CASE WHEN o.queue_full_at IS NOT NULL THEN '{QUEUE_FULL_REASON}'
                WHEN NOT a.enabled THEN coalesce(a.disabled_reason, '{DISABLED_REASON}')
                WHEN o.paused_at IS NOT NULL THEN '{PAUSED_REASON}' END AS reason
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::jsonb[])
            AS n (id, trigger_id, action_id, event_id, event_seq, context)
        JOIN trigger_actions AS a ON a.id = n.action_id AND a.trigger_id = n.trigger_id
        JOIN organizations AS o ON o.id = a.organization_id
        LEFT JOIN trigger_breakers AS b ON b.trigger_id = n.trigger_id
        WHERE a.enabled OR a.disabled_by = 'system'
        ORDER BY n.id
        FOR KEY SHARE OF a),
    probes AS MATERIALIZED (
        SELECT id FROM (
            SELECT id, trigger_id, places, row_number() OVER (PARTITION BY trigger_id ORDER BY event_seq, id) AS place
            FROM chosen WHERE breaker = 'half_open' AND code IS NULL) AS p
        WHERE place <= places AND place <= places - (
            SELECT count(*) FROM deliveries AS d WHERE d.trigger_id = p.trigger_id
                AND d.status_code = '{PROBE_CODE}' AND d.status IN ('pending', 'delivering')))
    INSERT INTO deliveries (
        id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane, priority,
        status, status_code, status_reason, next_attempt_at, context)
    SELECT c.id, c.organization_id, c.trigger_id, c.action_id, c.event_id, c.event_seq, c.action_type, c.destination,
        c.lane, c.priority,
        CASE WHEN c.code = '{QUEUE_FULL_CODE}' THEN 'suppressed' WHEN p.id IS NOT NULL THEN 'pending'
            WHEN c.breaker <> 'closed' THEN 'suppressed' WHEN c.code IS NOT NULL THEN 'held' ELSE 'pending' END,
        CASE WHEN c.code = '{QUEUE_FULL_CODE}' THEN c.code WHEN p.id IS NOT NULL THEN '{PROBE_CODE}'
            WHEN c.breaker <> 'closed' THEN '{OPEN_CODE}' ELSE c.code END,
        CASE WHEN c.code = '{QUEUE_FULL_CODE}' THEN c.reason WHEN p.id IS NOT NULL THEN '{PROBE_REASON}'
            WHEN c.breaker <> 'closed' THEN '{OPEN_REASON}' ELSE c.reason END,
        now() + coalesce(c.first_wait::float8, 0) * interval '1 second' + c.priority * interval '1 microsecond',
        c.context
    FROM chosen AS c LEFT JOIN probes AS p ON p.id = c.id
    ORDER BY c.id
    ON CONFLICT (id) DO NOTHING
    RETURNING lane, status"""
"""A half-open breaker lets through as many as it has places that no probe under way takes, the oldest events first."""

COMMIT_SQL = f"""
    WITH inserted AS ({INSERT_SQL}),
    l AS MATERIALIZED (
        SELECT * FROM unnest($7::uuid[], $8::date[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
            AS l (trigger_id, day, matched, cooled_down, fired, last_fired)),
    ledger AS (
        INSERT INTO trigger_ledger AS old (trigger_id, organization_id, day, matched, cooled_down, fired)
        SELECT t.id, t.organization_id, l.day, l.matched, l.cooled_down, l.fired
        FROM l JOIN triggers AS t ON t.id = l.trigger_id
        ORDER BY t.id, l.day
        ON CONFLICT (trigger_id, day) DO UPDATE SET matched = old.matched + excluded.matched,
            cooled_down = old.cooled_down + excluded.cooled_down, fired = old.fired + excluded.fired),
    n AS MATERIALIZED (
        SELECT trigger_id, sum(fired) AS fired, max(last_fired) AS last_fired
        FROM l WHERE fired > 0 GROUP BY trigger_id),
    locked AS (SELECT id FROM triggers WHERE id IN (SELECT trigger_id FROM n) ORDER BY id FOR NO KEY UPDATE),
    counted AS (
        UPDATE triggers AS t SET fired_count = t.fired_count + n.fired,
            last_fired_at = greatest(t.last_fired_at, to_timestamp(n.last_fired)), error_count = 0
        FROM n JOIN locked ON locked.id = n.trigger_id WHERE t.id = n.trigger_id)
    SELECT lane, status FROM inserted
    UNION ALL SELECT NULL, NULL FROM partitions_advance($13, $14, $15, $16)"""
"""Deliveries, ledger, counters and progress in one statement: one trip, one transaction, all or nothing."""

FAIL_SQL = """
    UPDATE triggers AS t SET error_count = n.count, last_error = left(n.error, 1000)
    FROM unnest($1::uuid[], $2::text[], $3::int[]) AS n (trigger_id, error, count) WHERE t.id = n.trigger_id"""

DISABLE_SQL = """
    WITH gone AS (
        UPDATE triggers SET enabled = false, updated_at = now(),
            disabled_reason = 'Failed on ' || error_count || ' events in a row: ' || last_error
        WHERE id = ANY($1::uuid[]) AND enabled RETURNING id, organization_id, partition)
    INSERT INTO trigger_versions (trigger_id, organization_id, partition, definition, keeps_state)
    SELECT id, organization_id, partition, NULL, false FROM gone ORDER BY id"""

DISABLE_AFTER_FAILURES = 10
SLICE_ROWS = 5_000
SLICE_BYTES = 16 * 2**20
"""A statement carries no more: PostgreSQL takes a gigabyte at most, and the statement has a time-out."""


async def insert(connection: Connection, rows: Sequence[NewDelivery]) -> set[str]:
    """Enqueue ``rows`` once each, in statements of bearable size; returns the lanes in which something became due."""
    lanes: set[str] = set()
    for part in slices(rows):
        inserted = await connection.fetch(INSERT_SQL, *_delivery_columns(part))
        lanes |= {row["lane"] for row in inserted if row["status"] == "pending"}
    return lanes


def slices(rows: Sequence[NewDelivery]) -> Iterator[Sequence[NewDelivery]]:
    """``rows`` in parts that one statement can carry."""
    start, size = 0, 0
    for end, row in enumerate(rows):
        if end > start and (end - start >= SLICE_ROWS or size + row.size > SLICE_BYTES):
            yield rows[start:end]
            start, size = end, 0
        size += row.size
    if start < len(rows):
        yield rows[start:]


def _delivery_columns(rows: Sequence[NewDelivery]) -> list[list[Any]]:
    return [
        [row.id for row in rows],
        [row.trigger_id for row in rows],
        [row.action_id for row in rows],
        [row.event_id for row in rows],
        [row.event_seq for row in rows],
        [row.context for row in rows],
    ]


async def commit(
    connection: Connection, rows: Sequence[NewDelivery], tallies: Sequence[Tally], owned: Sequence[Owned], last_seq: int
) -> set[str]:
    """Step ② of an evaluator's commit: enqueue, count, and move the progress; returns the lanes to ring.

    One statement, so one transaction, for as many rows as one can carry. Raises Fenced, and does nothing, when a
    partition has another owner.
    """
    parts = list(slices(rows))
    if len(parts) > 1:
        async with connection.transaction():
            lanes = await insert(connection, rows)
            return lanes | await commit(connection, (), tallies, owned, last_seq)
    with fencing():
        found = await connection.fetch(
            COMMIT_SQL,
            *_delivery_columns(rows),
            [one.trigger_id for one in tallies],
            [one.day for one in tallies],
            [one.matched for one in tallies],
            [one.cooled_down for one in tallies],
            [one.fired for one in tallies],
            [one.last_fired for one in tallies],
            *advance_columns(owned, last_seq),
        )
    return {row["lane"] for row in found if row["status"] == "pending"}


async def fail(connection: Connection, failures: Sequence[Failure]) -> None:
    """Record failing triggers, and disable those that failed ten times in a row. Last in its transaction (P2)."""
    if not failures:
        return
    columns = ([one.trigger_id for one in failures], [one.error for one in failures], [one.count for one in failures])
    await connection.execute(FAIL_SQL, *columns)
    spent = [one.trigger_id for one in failures if one.count >= DISABLE_AFTER_FAILURES]
    if spent:
        await connection.execute(DISABLE_SQL, spent)


async def known(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these deliveries were made, whatever became of them."""
    sql = "SELECT id FROM deliveries WHERE id = ANY($1::uuid[])"
    return {row["id"] for row in await connection.fetch(sql, list(ids))} if ids else set()
