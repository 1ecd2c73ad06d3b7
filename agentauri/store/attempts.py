"""Recording what became of attempts, in batches, and what follows for their deliveries (protocol P21, P24).

A result counts only with the lease under which it was obtained; a success always counts. The attempt itself is kept
either way. Everything of a batch is one transaction of the caller.
"""

# all organizations: a deliverer records what it sent, whoever it was for; a lease token names the row

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from agentauri.models.action import destination_of
from agentauri.models.breaker import Verdict, counts
from agentauri.models.delivery import DeliveryStatus, Judgement, Outcome, Result
from agentauri.store import breakers, disabled_actions, retractions
from agentauri.store.database import Connection
from agentauri.store.pausing import PAUSED_CODE

IS_PAUSED = "EXISTS (SELECT FROM organizations AS o WHERE o.id = d.organization_id AND o.paused_at IS NOT NULL)"
"""Asked of failed attempts alone."""

RECORD_SQL = f"""
    WITH r AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::timestamptz[], $5::text[], $6::int[], $7::int[],
            $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::text[], $13::float8[], $14::boolean[])
            AS r (id, token, number, started_at, outcome, duration_ms, http_status, error_class, error_message,
                response_excerpt, request, judgement, wait, ambiguous)),
    noted AS (
        UPDATE delivery_attempts AS t SET outcome = r.outcome, duration_ms = r.duration_ms,
            http_status = r.http_status, error_class = r.error_class, error_message = r.error_message,
            response_excerpt = r.response_excerpt, request = r.request
        FROM r
        WHERE t.delivery_id = ANY ($1::uuid[]) AND t.delivery_id = r.id AND t.number = r.number
            AND t.started_at = r.started_at AND t.lease_token = r.token
            AND t.started_at BETWEEN $15::timestamptz AND $16::timestamptz)
    UPDATE deliveries AS d SET
        status = CASE WHEN r.judgement = 'delivered' THEN 'delivered' WHEN d.retracted THEN 'cancelled'
            WHEN r.wait IS NULL THEN 'dead' WHEN {IS_PAUSED} THEN 'held' ELSE 'retrying' END,
        status_code = CASE WHEN r.judgement = 'delivered' THEN NULL WHEN d.retracted THEN 'event_retracted'
            WHEN r.wait IS NOT NULL THEN CASE WHEN {IS_PAUSED} THEN '{PAUSED_CODE}' ELSE 'attempt_failed' END
            WHEN r.judgement = 'retry' THEN 'attempts_spent' ELSE 'failed_finally' END,
        status_reason = CASE WHEN r.judgement = 'delivered' THEN NULL
            WHEN d.retracted THEN 'A reorganisation of the chain took the event back.'
            ELSE coalesce(r.error_message, r.outcome) END,
        next_attempt_at = CASE WHEN r.wait IS NULL THEN d.next_attempt_at
            ELSE statement_timestamp() + make_interval(secs => r.wait) END,
        lease_token = NULL, lease_until = NULL, ambiguous = d.ambiguous OR r.ambiguous,
        delivered_at = CASE WHEN r.judgement = 'delivered' THEN statement_timestamp() END,
        updated_at = statement_timestamp()
    FROM r
    WHERE d.id = ANY ($1::uuid[]) AND d.id = r.id AND ((d.status = 'delivering' AND d.lease_token = r.token)
        OR (r.judgement = 'delivered' AND d.status <> 'delivered'))
    RETURNING d.id, d.status, d.retracted AND (d.status = 'delivered' OR d.ambiguous) AS is_told, d.trigger_id,
        EXISTS (SELECT FROM trigger_breakers AS b WHERE b.trigger_id = d.trigger_id
            AND (b.failure_count > 0 OR b.opened_at IS NOT NULL)) AS is_counted"""

DISABLE_SQL = """
    UPDATE trigger_actions AS a SET enabled = false, disabled_by = 'system', disabled_reason = g.reason,
        updated_at = now()
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS g (id, version, reason)
    WHERE a.id = g.id AND a.updated_at = g.version AND a.enabled"""
"""An action that was changed meanwhile is another one, and may well be taken."""

MOVED_SQL = """
    UPDATE trigger_actions AS a SET config = a.config || jsonb_build_object('chat_id', m.chat_id),
        destination = m.destination, updated_at = now()
    FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::text[]) AS m (id, version, chat_id, destination)
    WHERE a.id = m.id AND a.updated_at = m.version"""
"""What waits for the old chat follows when it is claimed (protocol P23)."""

PAUSE_SQL = """
    UPDATE lanes AS l SET paused_until = greatest(l.paused_until, now() + make_interval(secs => p.seconds))
    FROM unnest($1::text[], $2::float8[]) AS p (lane, seconds) WHERE l.lane = p.lane"""
"""Whoever leases the lane next knows it, too."""

REFUSED = asyncpg.DataError
"""What ``record`` raises when a value does not fit its column."""
GONE_REASON = "The receiver answered 410 Gone: it wants no more deliveries."


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch changed: the new status of each delivery that was, and lanes in which notices became due."""

    statuses: Mapping[UUID, DeliveryStatus]
    lanes: frozenset[str]


async def record(connection: Connection, results: Sequence[Result]) -> Recorded:
    """Record results, each delivery at most once, in the caller's transaction.

    Deliveries that are retracted and whose receiver may know them get their notices. An action whose receiver is
    gone is disabled, and its fallback told. The breakers of triggers are told.
    """
    ordered = sorted(results, key=lambda result: result.claimed.id)
    started = [result.claimed.started_at for result in ordered]
    columns = [list(column) for column in zip(*(_columns(result) for result in ordered), strict=True)]
    rows = await connection.fetch(RECORD_SQL, *columns, min(started), max(started))
    told = [row["id"] for row in rows if row["is_told"]]
    lanes = await retractions.insert_notices(connection, told)
    await _follow_moved(connection, ordered)
    await _keep_pauses(connection, ordered)
    lanes |= await _disable_gone(connection, ordered)
    await breakers.judge(connection, _verdicts(results, {row["id"]: row for row in rows}))
    return Recorded({row["id"]: DeliveryStatus(row["status"]) for row in rows}, lanes)


async def _disable_gone(connection: Connection, results: Sequence[Result]) -> frozenset[str]:
    """Disable actions whose receivers want no more, each with its reason; returns the lanes of their fallbacks."""
    gone = {one.claimed.action_id: one for one in results if one.judgement is Judgement.GONE}
    if not gone:
        return frozenset()
    versions = [one.claimed.version for one in gone.values()]
    reasons = [one.attempt.gone_because or GONE_REASON for one in gone.values()]
    await connection.execute(DISABLE_SQL, list(gone), versions, reasons)
    return await disabled_actions.tell(connection)


async def _follow_moved(connection: Connection, results: Sequence[Result]) -> None:
    """Write the new numbers of chats into their actions."""
    moved = {one.claimed.action_id: one for one in results if one.attempt.chat_moved_to is not None}
    if moved:
        chats = [one.attempt.chat_moved_to for one in moved.values()]
        places = [
            destination_of(one.claimed.organization_id, one.claimed.channel, {**one.claimed.config, "chat_id": chat})
            for one, chat in zip(moved.values(), chats, strict=True)
        ]
        versions = [one.claimed.version for one in moved.values()]
        await connection.execute(MOVED_SQL, list(moved), versions, chats, places)


async def _keep_pauses(connection: Connection, results: Sequence[Result]) -> None:
    """Write down how long servers asked to be left alone."""
    pauses: dict[str, float] = {}
    for one in results:
        if one.attempt.pauses_lane and one.attempt.retry_after:
            lane = one.claimed.destination.lane
            pauses[lane] = max(pauses.get(lane, 0.0), one.attempt.retry_after)
    if pauses:
        await connection.execute(PAUSE_SQL, list(pauses), list(pauses.values()))


def _verdicts(results: Sequence[Result], changed: Mapping[UUID, asyncpg.Record]) -> list[Verdict]:
    """What results that counted say of their triggers, in their order, where a breaker has anything to note."""
    verdicts: list[Verdict] = []
    counted: set[UUID] = set()
    for result in results:
        row, claimed = changed.get(result.claimed.id), result.claimed
        if row is None:
            continue
        succeeded = result.judgement is Judgement.DELIVERED
        failed = not succeeded and counts(turn=claimed.turn, is_last=result.wait_seconds is None)
        verdict = Verdict(row["trigger_id"], succeeded, failed, claimed.created_at if claimed.probe else None)
        verdicts.append(verdict)
        if verdict.is_heard or (succeeded and row["is_counted"]):
            counted.add(verdict.trigger_id)
    return [one for one in verdicts if one.trigger_id in counted]


def _columns(result: Result) -> tuple[Any, ...]:
    claimed, attempt = result.claimed, result.attempt
    token, started_at = claimed.lease_token, claimed.started_at
    duration_ms = round(attempt.duration_seconds * 1000)
    is_ambiguous = attempt.sent and attempt.outcome in (Outcome.TIMEOUT, Outcome.CONNECT)
    said = (attempt.http_status, attempt.error_class, attempt.error_message, attempt.response_excerpt, attempt.request)
    sent = (claimed.id, token, claimed.attempt, started_at, attempt.outcome.value, duration_ms)
    return (*sent, *said, result.judgement.value, result.wait_seconds, is_ambiguous)


async def ensure_months(connection: Connection, now: datetime) -> None:
    """Make the partition of attempts for the month of ``now``."""
    await connection.execute("SELECT attempts_ensure_month($1)", now)
