"""A trigger's versions in the log: what it is from a seq on, null when it is off or gone (protocol P7)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from agentauri.models.trigger import TriggerDefinition
from agentauri.store.database import Connection

LIST_SQL = """
    WITH start AS (
        SELECT s.* FROM trigger_starts AS s WHERE s.organization_id = $1 AND s.trigger_id = $2
            AND (s.joined_seq IS NULL OR EXISTS (
                SELECT FROM trigger_versions AS v WHERE v.organization_id = $1 AND v.trigger_id = $2
                    AND v.from_seq = s.joined_seq))),
    all_versions AS (
        SELECT v.from_seq, v.definition, v.created_at, v.created_at = t.created_at AS begins
        FROM trigger_versions AS v JOIN triggers AS t USING (organization_id)
        WHERE t.id = v.trigger_id AND v.organization_id = $1 AND v.trigger_id = $2
        UNION ALL
        SELECT after_seq, definition, created_at, true FROM start WHERE status <> 'ended' OR position > after_seq
        UNION ALL
        SELECT position, NULL, created_at, false FROM start WHERE status = 'ended')
    SELECT * FROM all_versions WHERE from_seq <= $3 ORDER BY from_seq DESC LIMIT $4"""


async def write(
    connection: Connection,
    *,
    trigger_id: UUID,
    organization_id: UUID,
    partition: int,
    definition: TriggerDefinition | None,
) -> int:
    """Append a version, and say its place in the log.

    It takes the log's lock until the commit, so it stands last in its transaction (P2).
    """
    seq: int = await connection.fetchval(
        """INSERT INTO trigger_versions (trigger_id, organization_id, partition, definition, keeps_state)
           VALUES ($1, $2, $3, $4, $5) RETURNING from_seq""",
        trigger_id,
        organization_id,
        partition,
        None if definition is None else definition.to_json(),
        definition is not None and definition.keeps_state,
    )
    return seq


@dataclass(frozen=True, slots=True)
class Dated:
    """A version that is kept; ``begins``: the trigger was made with it, so nothing was before."""

    from_seq: int
    definition: dict[str, Any] | None
    created_at: datetime
    begins: bool


async def list_versions(
    connection: Connection, organization_id: UUID, trigger_id: UUID, upto: int, limit: int
) -> list[Dated]:
    """The newest versions of a trigger with from_seq up to ``upto``, the newest first; older ones may be gone (P7).

    A trigger that begins in the past has been there since, though it joined the log later, or was switched off before.
    """
    rows = await connection.fetch(
        LIST_SQL,
        organization_id,
        trigger_id,
        upto,
        limit,
    )
    return [Dated(*row) for row in rows]
