"""Pausing an organization: what waits is held, and released in its old order and schedule when it is resumed.

``organizations.paused_at`` decides alone: no claim starts a delivery of a paused organization (``claims.py``), whoever
made it wait. Holding what waits already, and releasing it, is done in short batches after that mark is committed, by
whoever set it and, for what they leave, by maintenance. A row that a claim or a firing with an older view of the mark
leaves on the wrong side comes right with the next claim, or the next round of maintenance.
"""

from uuid import UUID

from agentauri.models.delivery import StatusCode
from agentauri.store.database import Connection
from agentauri.store.maintenance import BATCH_ROWS
from agentauri.store.places import RELOCATED, is_per_agent

PAUSED_CODE = StatusCode.ORGANIZATION_PAUSED.value
PAUSED_REASON = "The organization is paused."

# The batches are picked in a CTE of their own: a plan may run a LIMIT inside IN (…) again for every row.
HOLD_SQL = f"""
    WITH picked AS MATERIALIZED (
        SELECT w.id FROM (
            SELECT DISTINCT a.lane, a.destination FROM organizations AS o
            JOIN trigger_actions AS a ON a.organization_id = o.id
            WHERE o.id = $1 AND o.paused_at IS NOT NULL AND NOT {is_per_agent("a.lane")}) AS place
        CROSS JOIN LATERAL (
            SELECT id FROM deliveries
            WHERE lane = place.lane AND destination = place.destination AND status IN ('pending', 'retrying')
                AND organization_id = $1 LIMIT $2 FOR UPDATE SKIP LOCKED) AS w
        LIMIT $2),
    of_agents AS MATERIALIZED (
        SELECT w.id FROM organizations AS o
        JOIN trigger_actions AS a ON a.organization_id = o.id AND {is_per_agent("a.lane")}
        CROSS JOIN LATERAL (
            SELECT id FROM deliveries
            WHERE action_id = a.id AND status IN ('pending', 'retrying') AND organization_id = $1
            LIMIT $2 FOR UPDATE SKIP LOCKED) AS w
        WHERE o.id = $1 AND o.paused_at IS NOT NULL LIMIT $2)
    UPDATE deliveries AS d SET status = 'held', status_code = '{PAUSED_CODE}', status_reason = '{PAUSED_REASON}',
        updated_at = now()
    FROM (SELECT id FROM picked UNION SELECT id FROM of_agents LIMIT $2) AS p
    WHERE d.id = p.id AND d.organization_id = $1 AND d.status IN ('pending', 'retrying')"""

RELEASED = f"""
    WITH picked AS MATERIALIZED (%s)
    UPDATE deliveries AS d SET status = CASE WHEN d.attempt_count > d.attempt_base THEN 'retrying' ELSE 'pending' END,
        status_code = NULL, status_reason = NULL, updated_at = now(),
        {RELOCATED}
    FROM picked AS p, trigger_actions AS a
    WHERE d.id = p.id AND d.status = 'held' AND d.status_code = '{PAUSED_CODE}'
        AND a.id = d.action_id AND a.organization_id = d.organization_id"""

RELEASE_SQL = (
    RELEASED
    % f"""
        SELECT h.id FROM organizations AS o JOIN trigger_actions AS b ON b.organization_id = o.id
        JOIN deliveries AS h ON h.action_id = b.id AND h.organization_id = o.id
        WHERE o.id = $1 AND o.paused_at IS NULL AND h.status = 'held' AND h.status_code = '{PAUSED_CODE}'
        LIMIT $2 FOR UPDATE OF h SKIP LOCKED"""
)

# all organizations: this is maintenance
STRANDED_SQL = (
    RELEASED
    % f"""
        SELECT h.id FROM deliveries AS h JOIN organizations AS o ON o.id = h.organization_id
        WHERE h.status = 'held' AND h.status_code = '{PAUSED_CODE}' AND o.paused_at IS NULL
        LIMIT $1 FOR UPDATE OF h SKIP LOCKED"""
)


async def hold_waiting(connection: Connection, organization_id: UUID) -> int:
    """Hold one batch of what waits of a paused organization; returns how many. Rows under way are left alone."""
    return _count(await connection.execute(HOLD_SQL, organization_id, BATCH_ROWS))


async def release_paused(connection: Connection, organization_id: UUID) -> int:
    """Let one batch of what a pause held wait again; returns how many.

    Each keeps the time that it was due at, so the oldest come first and a schedule of retries goes on where it was;
    their actions' rate limits hold as ever. What has been disabled, deleted or retracted meanwhile the claim settles.
    """
    return _count(await connection.execute(RELEASE_SQL, organization_id, BATCH_ROWS))


async def release_stranded(connection: Connection) -> int:
    """As ``release_paused``, of every organization that is not paused (any more)."""
    return _count(await connection.execute(STRANDED_SQL, BATCH_ROWS))


async def list_paused(connection: Connection) -> list[UUID]:
    """Every organization that is paused."""
    return [row[0] for row in await connection.fetch("SELECT id FROM organizations WHERE paused_at IS NOT NULL")]


def _count(answer: str) -> int:
    return int(answer.rpartition(" ")[2])
