"""The maintenance loop: months ahead, snapshots and versions pruned, stranded deliveries released, old rows deleted.

Nothing that a replay could need is ever dropped (protocol P10, P17). A round that fails is logged and comes again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from agentauri import logs
from agentauri.config import Retention
from agentauri.config_limits import Limits
from agentauri.store import (
    client_grants,
    closing,
    disabled_actions,
    event_counts,
    events,
    idempotency,
    invitations,
    limits,
    lockouts,
    login_codes,
    mail_tokens,
    maintenance,
    pausing,
    snapshots,
)
from agentauri.store.database import AWAY, Connection, Pool

log = logs.get("maintenance")

ROUND_SECONDS = 60.0
SILENT = timedelta(days=1)
"""A chain of which nothing was heard for so long is not watched any more: it keeps no snapshot, version or event."""
SETTLED = timedelta(minutes=10)
"""After a pause every chain looks silent, until its indexer has claimed it."""

FAILURES_COUNT = timedelta(days=1)
"""Failed logins of an account or a client are forgotten when none was added for so long."""


async def run(pool: Pool, retention: Retention, bounds: Limits) -> None:
    """Rounds for ever."""
    began = datetime.now(UTC)
    while True:
        now = datetime.now(UTC)
        try:
            async with pool.acquire() as connection:
                await round_once(connection, retention, now, bounds, settled=now - began >= SETTLED)
        except AWAY as error:
            log.warning("maintenance_failed", error=repr(error), retry_seconds=ROUND_SECONDS)
        await asyncio.sleep(ROUND_SECONDS)


async def round_once(
    connection: Connection, retention: Retention, now: datetime, bounds: Limits | None = None, *, settled: bool = False
) -> None:
    """One round; every step is a transaction of its own. Unless ``settled``, no chain is taken for abandoned."""
    await _ensure_months(connection, now)
    await _count_events(connection)
    final = await maintenance.final_seq(connection, now - SILENT if settled else None)
    await snapshots.prune(connection, final)
    await maintenance.thin_snapshots(connection, final, now)
    needed = await maintenance.needed_seq(connection, final)
    await maintenance.prune_versions(connection, needed)
    await maintenance.forget_joined(connection, needed)
    if retention.events_days:
        begun = await maintenance.begun_seq(connection, needed)
        await _drop_months(connection, begun, now, retention.events_days)
    await disabled_actions.tell(connection)
    await _drain(disabled_actions.prune, connection, maintenance.BATCH_ROWS)
    await _drain(maintenance.release_held, connection)
    await _care_for_organizations(connection, bounds or Limits())
    if retention.deliveries_days:
        await _drain(maintenance.delete_deliveries, connection, now, retention.deliveries_days)
    if retention.attempts_days:
        await _drain(maintenance.delete_attempts, connection, now, retention.attempts_days)
    for purge in (idempotency.purge, login_codes.purge_codes, login_codes.purge_states, client_grants.purge):
        await _drain(purge, connection)
    if retention.audit_days:
        await _drain(maintenance.delete_audit, connection, now, retention.audit_days)
    await _forget_guesses(connection, now)


async def _forget_guesses(connection: Connection, now: datetime) -> None:
    await _drain(lockouts.delete_old, connection, now - FAILURES_COUNT, maintenance.BATCH_ROWS)
    await _drain(lockouts.delete_old_pairs, connection, now - FAILURES_COUNT, maintenance.BATCH_ROWS)
    await _drain(mail_tokens.delete_old, connection, now, maintenance.BATCH_ROWS)


async def _ensure_months(connection: Connection, now: datetime) -> None:
    for month in maintenance.months_ahead(now):
        for ensure in (events.ensure_month, maintenance.ensure_attempts_month):
            async with connection.transaction():
                await ensure(connection, month)


async def _care_for_organizations(connection: Connection, bounds: Limits) -> None:
    """What pausing, closing and inviting left for later, and whose queue is full."""
    await _drain(pausing.release_stranded, connection)
    for paused in await pausing.list_paused(connection):
        await _drain(pausing.hold_waiting, connection, paused)
    for closed in await closing.list_closed(connection):
        await _purge(connection, closed)
    await _drain(invitations.delete_expired, connection)
    for id_, is_full in (await limits.mark_full_queues(connection, bounds.by_plan())).items():
        log.info("queue_full" if is_full else "queue_relieved", organization=str(id_))


async def _purge(connection: Connection, closed: UUID) -> None:
    """Take the rows of a closed organization away, in batches, and it itself last."""
    removed = closing.BATCH_TRIGGERS
    while removed == closing.BATCH_TRIGGERS:
        removed = await closing.remove_triggers(connection, closed)
    await _drain(closing.delete_deliveries, connection, closed)
    await closing.delete_organization(connection, closed)


async def _count_events(connection: Connection) -> None:
    """Before months are dropped: what was not counted then never would be."""
    while await event_counts.add_step(connection):
        pass


async def _drop_months(connection: Connection, needed: int, now: datetime, days: int) -> None:
    month: str | None = ""
    while month is not None:
        async with connection.transaction():
            month = await maintenance.drop_month(connection, needed, now, days)
        if month is not None:
            log.info("month_dropped", table=month, retention_days=days)


async def _drain(step: Callable[..., Awaitable[int]], connection: Connection, *arguments: Any) -> None:
    done = maintenance.BATCH_ROWS
    while done == maintenance.BATCH_ROWS:
        done = await step(connection, *arguments)
