"""What a reorganisation does to the queue: deliveries are taken back, told to be, or stand again (protocol P18, P24).

Everything of it is done by evaluators, in the transaction of their progress; doing it twice changes nothing.
"""

# all organizations: an evaluator writes for all triggers of its partitions

from collections.abc import Sequence
from uuid import UUID

from agentauri.models.ids import DeliveryId, retraction_notice_id
from agentauri.store import firings
from agentauri.store.database import Connection
from agentauri.store.firings import NewDelivery
from agentauri.store.places import located

STALE_SQL = """
    SELECT d.id, d.status, d.ambiguous FROM deliveries AS d JOIN triggers AS t ON t.id = d.trigger_id
    LEFT JOIN trigger_starts AS s ON s.trigger_id = d.trigger_id AND d.event_seq <= s.position
    WHERE {whose} AND d.event_seq >= $2 AND d.event_seq < $3
        AND d.type = 'trigger.fired' AND NOT d.id = ANY($4::uuid[])
        AND d.status <> 'cancelled'
    ORDER BY d.id FOR UPDATE OF d"""

OF_PARTITIONS = """t.partition = ANY($1::smallint[]) AND (s.trigger_id IS NULL OR s.joined_seq < $3
    OR (s.status = 'ended' AND EXISTS (SELECT FROM events AS e WHERE e.id = d.event_id AND e.retracted_seq <= $3)))"""
"""A past that joined the log after the retraction was worked off with it in mind; one that never will is not judged
anew, but loses the events that are no more."""

OF_TRIGGER = "d.trigger_id = $1"

CANCEL_SQL = """
    UPDATE deliveries SET status = 'cancelled', status_code = 'event_retracted',
        status_reason = 'A reorganisation of the chain took the event back.', retracted = true, updated_at = now()
    WHERE id = ANY($1::uuid[])"""

FLAG_SQL = "UPDATE deliveries SET retracted = true, updated_at = now() WHERE id = ANY($1::uuid[])"

REVIVE_SQL = """
    UPDATE deliveries SET status = 'pending', status_code = NULL, status_reason = NULL, retracted = false,
        next_attempt_at = now(), updated_at = now()
    WHERE id = ANY($1::uuid[]) AND status = 'cancelled' AND status_code = 'event_retracted' RETURNING lane"""

NOTICE_SQL = f"""
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, type, channel,
        destination, lane, priority, status, context)
    SELECT n.id, d.organization_id, d.trigger_id, d.action_id, d.event_id, d.event_seq, 'trigger.retracted', d.channel,
        {located("a.destination", "d.context")}, {located("a.lane", "d.context")}, a.priority, 'pending',
        d.context || jsonb_build_object('first_delivery_id', d.id)
    FROM unnest($1::uuid[], $2::uuid[]) AS n (id, first)
    JOIN deliveries AS d ON d.id = n.first JOIN trigger_actions AS a ON a.id = d.action_id
    WHERE a.enabled ORDER BY n.id
    ON CONFLICT (id) DO NOTHING RETURNING lane"""

TOLD_SQL = """
    SELECT d.id FROM deliveries AS d JOIN trigger_actions AS a ON a.id = d.action_id
    WHERE d.id = ANY($1::uuid[]) AND (a.config ->> 'notify_retraction')::boolean ORDER BY d.id"""

UNFLAG_SQL = """
    UPDATE deliveries SET retracted = false, updated_at = now()
    WHERE id = ANY($1::uuid[]) AND status = 'delivering' AND retracted"""


async def revive(connection: Connection, ids: Sequence[UUID]) -> set[str]:
    """Let deliveries go on that a retraction cancelled and that hold again; returns the lanes to ring."""
    return {row["lane"] for row in await connection.fetch(REVIVE_SQL, list(ids))} if ids else set()


async def retract(
    connection: Connection, partitions: Sequence[int], first_seq: int, seq: int, holding: Sequence[NewDelivery]
) -> set[str]:
    """Make the queue of [first_seq, seq) what it would be without the retracted events (protocol P18, P24).

    ``seq`` is that of the retraction. Rows in ``holding`` stay or are added; of the others, undelivered ones are
    cancelled, those under way are flagged, and delivered ones stay and get a notice where the action asks for it.
    Returns the lanes to ring.
    """
    return await _retract(connection, STALE_SQL.format(whose=OF_PARTITIONS), list(partitions), first_seq, seq, holding)


async def retract_of(
    connection: Connection, trigger_id: UUID, first_seq: int, end: int, holding: Sequence[NewDelivery]
) -> set[str]:
    """``retract`` for one trigger whose past is worked off, as far as it has come: the queue of [first_seq, end)."""
    return await _retract(connection, STALE_SQL.format(whose=OF_TRIGGER), trigger_id, first_seq, end, holding)


async def _retract(
    connection: Connection, stale_sql: str, whose: object, first_seq: int, seq: int, holding: Sequence[NewDelivery]
) -> set[str]:
    # What a trigger without memory says of an event that stands cannot have changed: such rows are kept, never made.
    lanes = await firings.insert(connection, [row for row in holding if row.keeps_state])
    keep = [row.id for row in holding]
    await connection.execute(UNFLAG_SQL, keep)
    lanes |= await revive(connection, keep)
    stale = await connection.fetch(stale_sql, whose, first_seq, seq, keep)
    told = [row for row in stale if row["status"] == "delivered" or row["ambiguous"]]
    open_ = [row["id"] for row in stale if row["status"] in ("pending", "retrying", "held", "suppressed", "dead")]
    await connection.execute(CANCEL_SQL, open_)
    await connection.execute(FLAG_SQL, [row["id"] for row in stale if row["status"] in ("delivering", "delivered")])
    return lanes | await insert_notices(connection, [row["id"] for row in told if row["status"] != "delivering"])


async def insert_notices(connection: Connection, firsts: Sequence[UUID]) -> frozenset[str]:
    """Queue the notices that the events of ``firsts`` were retracted, where their actions ask for it (P24).

    Returns the lanes to ring. Doing it twice changes nothing.
    """
    if not firsts:
        return frozenset()
    wanted = [row["id"] for row in await connection.fetch(TOLD_SQL, list(firsts))]
    made = [retraction_notice_id(DeliveryId(first)) for first in wanted]
    return frozenset(row["lane"] for row in await connection.fetch(NOTICE_SQL, made, wanted))
