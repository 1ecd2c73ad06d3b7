"""A trigger's versions in the log: what it is from a seq on, null when it is off or gone (protocol P7)."""

from uuid import UUID

from agentauri.models.trigger import TriggerDefinition
from agentauri.store.database import Connection


async def write(
    connection: Connection,
    *,
    trigger_id: UUID,
    organization_id: UUID,
    partition: int,
    definition: TriggerDefinition | None,
) -> None:
    """Append a version. It takes the log's lock until the commit, so it stands last in its transaction (P2)."""
    await connection.execute(
        """INSERT INTO trigger_versions (trigger_id, organization_id, partition, definition, keeps_state)
           VALUES ($1, $2, $3, $4, $5)""",
        trigger_id,
        organization_id,
        partition,
        None if definition is None else definition.to_json(),
        definition is not None and definition.keeps_state,
    )
