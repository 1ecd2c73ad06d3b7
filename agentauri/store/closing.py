"""Deleting an organization, whatever its size: closed in one short transaction, its rows taken away afterwards.

Closing ends every way in (members, keys, clients, secrets) and stops its deliveries; its triggers leave the log with
null versions (protocol P7), a batch in that transaction and the rest, like deliveries and attempts, in batches after
it. A crash in between leaves a closed organization that nobody reaches and that maintenance goes on taking away.
"""

from uuid import UUID

from agentauri.store.database import Connection
from agentauri.store.maintenance import BATCH_ROWS

BATCH_TRIGGERS = 1_000
"""Versions are numbered under the log's lock: no more at once than events (protocol P2)."""
WAYS_IN = ("members", "invitations", "api_keys", "oauth_clients", "webhook_secrets")

TRIGGERS_SQL = """
    WITH gone AS (
        DELETE FROM triggers WHERE organization_id = $1 AND id IN (
            SELECT id FROM triggers WHERE organization_id = $1 ORDER BY id LIMIT $2)
        RETURNING id, organization_id, partition)
    INSERT INTO trigger_versions (trigger_id, organization_id, partition, definition, keeps_state)
    SELECT id, organization_id, partition, NULL, false FROM gone ORDER BY id"""

DELIVERIES_SQL = """
    WITH gone AS (
        DELETE FROM deliveries WHERE organization_id = $1 AND id IN (
            SELECT id FROM deliveries WHERE organization_id = $1 LIMIT $2)
        RETURNING id),
    attempts AS (
        DELETE FROM delivery_attempts WHERE organization_id = $1 AND delivery_id IN (SELECT id FROM gone))
    SELECT count(*) FROM gone"""

DELETE_SQL = """
    DELETE FROM organizations AS o WHERE id = $1 AND closed_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM triggers AS t WHERE t.organization_id = o.id)
        AND NOT EXISTS (SELECT FROM deliveries AS d WHERE d.organization_id = o.id)"""


async def close(connection: Connection, organization_id: UUID) -> None:
    """Close the organization. In the caller's transaction, under the organization's lock; last, for it takes the log's.

    Also for personal ones, whose users may be deleted then.
    """
    await connection.execute(
        """UPDATE organizations SET closed_at = now(), paused_at = coalesce(paused_at, now()), personal_of = NULL
           WHERE id = $1""",
        organization_id,
    )
    for table in WAYS_IN:
        await connection.execute(f"DELETE FROM {table} WHERE organization_id = $1", organization_id)
    await remove_triggers(connection, organization_id)


async def remove_triggers(connection: Connection, organization_id: UUID) -> int:
    """Delete a batch of triggers, each with a null version in the log; returns how many. Takes the log's lock."""
    answer = await connection.execute(TRIGGERS_SQL, organization_id, BATCH_TRIGGERS)
    return int(answer.rpartition(" ")[2])


async def list_closed(connection: Connection) -> list[UUID]:
    """Every organization that is closed and not wholly gone."""
    return [row[0] for row in await connection.fetch("SELECT id FROM organizations WHERE closed_at IS NOT NULL")]


async def delete_deliveries(connection: Connection, organization_id: UUID) -> int:
    """Delete a batch of deliveries with their attempts; returns how many."""
    found: int = await connection.fetchval(DELIVERIES_SQL, organization_id, BATCH_ROWS)
    return found


async def delete_organization(connection: Connection, organization_id: UUID) -> None:
    """Delete a closed organization, unless triggers or deliveries are left: then another time."""
    for table in ("trigger_ledger", "trigger_breakers", "trigger_tests"):
        await connection.execute(f"DELETE FROM {table} WHERE organization_id = $1", organization_id)
    await connection.execute(DELETE_SQL, organization_id)
