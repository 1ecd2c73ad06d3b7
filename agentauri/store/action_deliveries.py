"""What a change of actions does to the rows of the queue that wait for them. Runs in the change's transaction."""

from collections.abc import Sequence
from uuid import UUID

from agentauri.store.database import Connection


async def cancel(
    connection: Connection, organization_id: UUID, action_ids: Sequence[UUID], *, code: str, reason: str
) -> None:
    """End the undelivered rows of actions that are gone. One that is being sent now still counts if it succeeds."""
    if not action_ids:
        return
    await connection.execute(
        """UPDATE deliveries SET status = 'cancelled', status_code = $3, status_reason = $4, lease_token = NULL,
               lease_until = NULL, updated_at = now()
           WHERE organization_id = $1 AND action_id = ANY($2::uuid[])
               AND status IN ('pending', 'retrying', 'delivering', 'held')""",
        organization_id,
        list(action_ids),
        code,
        reason,
    )


async def move(connection: Connection, organization_id: UUID, action_id: UUID, destination: str, lane: str) -> None:
    """Send the waiting rows of an action to its new destination (protocol P23)."""
    await connection.execute(
        """UPDATE deliveries SET destination = $3, lane = $4, updated_at = now()
           WHERE organization_id = $1 AND action_id = $2 AND status IN ('pending', 'retrying', 'held')
               AND (destination, lane) <> ($3, $4)""",
        organization_id,
        action_id,
        destination,
        lane,
    )


async def release(connection: Connection, organization_id: UUID, action_id: UUID) -> None:
    """Make rows due again that were held because the action was disabled."""
    await connection.execute(
        """UPDATE deliveries SET status = 'pending', status_code = NULL, status_reason = NULL,
               next_attempt_at = now(), updated_at = now()
           WHERE organization_id = $1 AND action_id = $2 AND status = 'held' AND status_code = 'action_disabled'""",
        organization_id,
        action_id,
    )
