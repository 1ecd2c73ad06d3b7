"""Circuit breakers of triggers as rows: read, set, and told what became of attempts (rules: models/breaker.py).

A trigger that never failed has no row, and a success of one that nothing is counted against writes nothing. Rows are
locked in the order of their ids and last in a transaction, so recorders, edits and deletions cannot deadlock. How an
open breaker chooses a delivery's status: ``firings.py``.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg

from agentauri.errors import NotFound
from agentauri.models.breaker import Breaker, BreakerConfig, Verdict
from agentauri.models.delivery import StatusCode
from agentauri.store.database import Connection

OPEN_CODE = StatusCode.BREAKER_OPEN.value
OPEN_REASON = "The circuit breaker of its trigger is open: too many deliveries had failed."
PROBE_CODE = StatusCode.BREAKER_PROBE.value
PROBE_REASON = "The circuit breaker of its trigger lets it through, to see whether deliveries succeed again."

STATE = """CASE WHEN b.opened_at IS NULL THEN 'closed'
    WHEN statement_timestamp() < b.opened_at + make_interval(secs => b.recovery_timeout_seconds) THEN 'open'
    ELSE 'half_open' END"""
"""As ``Breaker.state``; of a row ``b`` that may be missing."""

COLUMNS = """trigger_id, failure_count, opened_at, last_failure_at, failure_threshold, recovery_timeout_seconds,
    half_open_max_calls"""

# all organizations: a deliverer reports what it sent, whoever it was for
BEGIN_SQL = """
    INSERT INTO trigger_breakers (trigger_id, organization_id)
    SELECT id, organization_id FROM triggers WHERE id = ANY($1::uuid[]) ORDER BY id
    ON CONFLICT (trigger_id) DO NOTHING"""

# all organizations: as above
LOCK_SQL = f"""
    SELECT {COLUMNS}, statement_timestamp() AS now FROM trigger_breakers
    WHERE trigger_id = ANY($1::uuid[]) ORDER BY trigger_id FOR NO KEY UPDATE"""

# all organizations: as above; the rows were locked by their triggers' ids
WRITE_SQL = """
    UPDATE trigger_breakers AS b SET failure_count = n.failure_count, opened_at = n.opened_at,
        last_failure_at = n.last_failure_at, failure_threshold = n.failure_threshold,
        recovery_timeout_seconds = n.recovery_timeout_seconds, half_open_max_calls = n.half_open_max_calls
    FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::int[], $6::int[], $7::int[])
        AS n (trigger_id, failure_count, opened_at, last_failure_at, failure_threshold, recovery_timeout_seconds,
            half_open_max_calls)
    WHERE b.trigger_id = n.trigger_id"""

OWN_SQL = "SELECT id FROM triggers WHERE organization_id = $1 AND id = $2 FOR KEY SHARE"


async def judge(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Tell the breakers of attempts, in this order; last in the caller's transaction."""
    heard = sorted({one.trigger_id for one in verdicts})
    if not heard:
        return
    begun = sorted({one.trigger_id for one in verdicts if one.is_heard})
    if begun:
        await connection.execute(BEGIN_SQL, begun)
    rows = await connection.fetch(LOCK_SQL, heard)
    before = {row["trigger_id"]: _breaker(row) for row in rows}
    after = dict(before)
    for verdict in verdicts:
        if verdict.trigger_id in after:
            after[verdict.trigger_id] = after[verdict.trigger_id].judged(verdict, rows[0]["now"])
    await _write(connection, {id_: one for id_, one in after.items() if one != before[id_]})


async def change(
    connection: Connection, organization_id: UUID, trigger_id: UUID, to: Callable[[Breaker], Breaker]
) -> Breaker:
    """Make the trigger's breaker ``to`` of what it is, in the caller's transaction. Raises NotFound."""
    if await connection.fetchval(OWN_SQL, organization_id, trigger_id) is None:
        raise NotFound("this trigger does not exist.")
    await connection.execute(BEGIN_SQL, [trigger_id])
    (row,) = await connection.fetch(LOCK_SQL, [trigger_id])
    changed = to(_breaker(row))
    await _write(connection, {trigger_id: changed})
    return changed


async def delete(connection: Connection, organization_id: UUID, trigger_id: UUID) -> None:
    """Forget the breaker of a trigger that is deleted; last but for its version in the caller's transaction."""
    await connection.execute(
        "DELETE FROM trigger_breakers WHERE organization_id = $1 AND trigger_id = $2", organization_id, trigger_id
    )


async def _write(connection: Connection, breakers: dict[UUID, Breaker]) -> None:
    if not breakers:
        return
    rows = [
        (
            id_,
            one.failure_count,
            one.opened_at,
            one.last_failure_at,
            one.config.failure_threshold,
            one.config.recovery_timeout_seconds,
            one.config.half_open_max_calls,
        )
        for id_, one in breakers.items()
    ]
    await connection.execute(WRITE_SQL, *map(list, zip(*rows, strict=True)))


def _breaker(row: asyncpg.Record) -> Breaker:
    config = BreakerConfig(row["failure_threshold"], row["recovery_timeout_seconds"], row["half_open_max_calls"])
    return Breaker(row["failure_count"], row["opened_at"], row["last_failure_at"], config)
