"""What a reorganisation does to the queue: deliveries are taken back, told to be, or stand again (protocol P18, P24).

Everything of it is done by evaluators, in the transaction of their progress; doing it twice changes nothing.
"""

# all organizations: an evaluator writes for all triggers of its partitions

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from asyncpg import Record

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
        AND d.status <> 'cancelled' AND NOT d.retracted
    ORDER BY d.id FOR UPDATE OF d"""

OF_PARTITIONS = """t.partition = ANY($1::smallint[]) AND (s.trigger_id IS NULL OR s.joined_seq < $3
    OR (s.status = 'ended' AND EXISTS (SELECT FROM events AS e WHERE e.id = d.event_id AND e.retracted_seq <= $3)))"""
"""A past that joined the log after the retraction was worked off with it in mind; one that never will is not judged
anew, but loses the events that are no more."""

OF_TRIGGER = "d.trigger_id = $1"

TOLD_ABSENCES_SQL = """
    SELECT d.id, d.trigger_id, d.event_id FROM deliveries AS d JOIN triggers AS t ON t.id = d.trigger_id
    JOIN unnest($2::smallint[], $3::bigint[]) AS base (partition, seq) ON base.partition = t.partition
    WHERE d.trigger_id = ANY($1::uuid[]) AND d.event_seq > base.seq AND d.type = 'trigger.fired' AND NOT d.retracted"""

WITHDRAWN_SQL = """
    SELECT d.id, d.status, d.ambiguous FROM deliveries AS d
    JOIN unnest($1::uuid[], $2::uuid[]) AS w (trigger_id, event_id)
        ON w.trigger_id = d.trigger_id AND w.event_id = d.event_id
    WHERE d.type = 'trigger.fired' AND d.status <> 'cancelled' AND NOT d.retracted
    ORDER BY d.id FOR UPDATE OF d"""

CANCEL_SQL = """
    UPDATE deliveries SET status = 'cancelled', status_code = 'event_retracted', status_reason = $2, retracted = true,
        updated_at = now()
    WHERE id = ANY($1::uuid[])"""

RETRACTED_REASON = "A reorganisation of the chain took the event back."
WITHDRAWN_REASON = "A reorganisation of the chain brought an event from before the absence was due."

FLAG_SQL = "UPDATE deliveries SET retracted = true, updated_at = now() WHERE id = ANY($1::uuid[])"

REVIVE_SQL = """
    UPDATE deliveries AS d SET status = 'pending', status_code = NULL, status_reason = NULL, retracted = false,
        attempt_base = d.attempt_count, delivered_at = NULL, event_seq = r.event_seq, next_attempt_at = now(),
        updated_at = now()
    FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS r (id, event_seq, notice)
    LEFT JOIN deliveries AS n ON n.id = r.notice AND (n.status IN ('delivering', 'delivered') OR n.ambiguous)
    WHERE d.id = r.id AND d.retracted
        AND (d.status_code = 'event_retracted' OR (d.status = 'delivered' AND n.id IS NOT NULL))
    RETURNING d.lane"""

UNFLAG_SQL = """
    UPDATE deliveries AS d SET retracted = false, event_seq = r.event_seq, updated_at = now()
    FROM unnest($1::uuid[], $2::bigint[]) AS r (id, event_seq)
    WHERE d.id = r.id AND d.retracted AND d.status IN ('delivering', 'delivered')"""

UNNOTICE_SQL = """
    UPDATE deliveries SET status = 'cancelled', status_code = 'holds_again', updated_at = now(),
        status_reason = 'What a reorganisation of the chain had taken back holds again.'
    WHERE id = ANY($1::uuid[]) AND status NOT IN ('delivering', 'cancelled')"""

NOTICE_SQL = f"""
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, type, channel,
        destination, lane, priority, status, context)
    SELECT n.id, d.organization_id, d.trigger_id, d.action_id, d.event_id, d.event_seq, 'trigger.retracted', d.channel,
        {located("a.destination", "d.context")}, {located("a.lane", "d.context")}, a.priority, 'pending',
        d.context || jsonb_build_object('first_delivery_id', d.id)
    FROM unnest($1::uuid[], $2::uuid[]) AS n (id, first)
    JOIN deliveries AS d ON d.id = n.first JOIN trigger_actions AS a ON a.id = d.action_id
    WHERE a.enabled ORDER BY n.id
    ON CONFLICT (id) DO UPDATE SET status = 'pending', status_code = NULL, status_reason = NULL, delivered_at = NULL,
        attempt_base = deliveries.attempt_count, next_attempt_at = now(), updated_at = now()
    WHERE deliveries.status_code = 'holds_again' RETURNING lane"""

TOLD_SQL = """
    SELECT d.id FROM deliveries AS d JOIN trigger_actions AS a ON a.id = d.action_id
    WHERE d.id = ANY($1::uuid[]) AND (a.config ->> 'notify_retraction')::boolean ORDER BY d.id"""


class ToldAbsence(NamedTuple):
    """A delivery of an absence that stands: of which trigger, and after which last event."""

    delivery_id: UUID
    trigger_id: UUID
    event_id: UUID


async def list_told_absences(
    connection: Connection, triggers: Sequence[UUID], bases: Mapping[int, int]
) -> list[ToldAbsence]:
    """The absences of these triggers that were told after their partition's base (seq by partition), and stand."""
    if not triggers:
        return []
    rows = await connection.fetch(TOLD_ABSENCES_SQL, list(triggers), list(bases), list(bases.values()))
    return [ToldAbsence(*row) for row in rows]


async def revive(connection: Connection, rows: Sequence[NewDelivery]) -> set[str]:
    """Let deliveries stand that were taken back and hold again; returns the lanes to ring.

    What was cancelled goes on. What was delivered is sent again only where its receiver was told that it is not so.
    """
    if not rows:
        return set()
    ids, seqs = [row.id for row in rows], [row.event_seq for row in rows]
    notices: list[UUID] = [retraction_notice_id(DeliveryId(one)) for one in ids]
    revived = await connection.fetch(REVIVE_SQL, ids, seqs, notices)
    await connection.execute(UNFLAG_SQL, ids, seqs)
    await connection.execute(UNNOTICE_SQL, notices)
    return {row["lane"] for row in revived}


async def withdraw(connection: Connection, absences: Sequence[tuple[UUID, UUID]]) -> set[str]:
    """Take back deliveries of absences (trigger, last event) that did not come about; returns the lanes to ring."""
    if not absences:
        return set()
    triggers, events = [one for one, _ in absences], [one for _, one in absences]
    stale = await connection.fetch(WITHDRAWN_SQL, triggers, events)
    return await _take_back(connection, stale, WITHDRAWN_REASON)


async def retract(
    connection: Connection,
    partitions: Sequence[int],
    first_seq: int,
    seq: int,
    holding: Sequence[NewDelivery],
    told: Collection[UUID],
) -> set[str]:
    """Make the queue of [first_seq, seq) what it would be without the retracted events (protocol P18, P24).

    ``seq`` is that of the retraction. Rows in ``holding`` stay or are added, those in ``told`` stay; of the others,
    undelivered ones are cancelled, those under way are flagged, and delivered ones stay and get a notice where the
    action asks for it. Returns the lanes to ring.
    """
    lanes = await _hold(connection, holding)
    keep = [*(row.id for row in holding), *told]
    stale = await connection.fetch(STALE_SQL.format(whose=OF_PARTITIONS), list(partitions), first_seq, seq, keep)
    return lanes | await _take_back(connection, stale, RETRACTED_REASON)


async def retract_of(
    connection: Connection, trigger_id: UUID, first_seq: int, end: int, holding: Sequence[NewDelivery]
) -> set[str]:
    """``retract`` for one trigger whose past is worked off, as far as it has come: the queue of [first_seq, end)."""
    lanes = await _hold(connection, holding)
    keep = [row.id for row in holding]
    stale = await connection.fetch(STALE_SQL.format(whose=OF_TRIGGER), trigger_id, first_seq, end, keep)
    return lanes | await _take_back(connection, stale, RETRACTED_REASON)


async def _hold(connection: Connection, holding: Sequence[NewDelivery]) -> set[str]:
    # What a trigger without memory says of an event that stands cannot have changed: such rows are kept, never made.
    lanes = await firings.insert(connection, [row for row in holding if row.keeps_state])
    return lanes | await revive(connection, holding)


async def _take_back(connection: Connection, stale: Sequence[Record], reason: str) -> set[str]:
    open_ = [row["id"] for row in stale if row["status"] in ("pending", "retrying", "held", "suppressed", "dead")]
    await connection.execute(CANCEL_SQL, open_, reason)
    await connection.execute(FLAG_SQL, [row["id"] for row in stale if row["status"] in ("delivering", "delivered")])
    told = [row for row in stale if row["status"] == "delivered" or row["ambiguous"]]
    return set(await insert_notices(connection, [row["id"] for row in told if row["status"] != "delivering"]))


async def insert_notices(connection: Connection, firsts: Sequence[UUID]) -> frozenset[str]:
    """Queue the notices that the events of ``firsts`` were retracted, where their actions ask for it (P24).

    Returns the lanes to ring. Doing it twice changes nothing.
    """
    if not firsts:
        return frozenset()
    wanted = [row["id"] for row in await connection.fetch(TOLD_SQL, list(firsts))]
    made = [retraction_notice_id(DeliveryId(first)) for first in wanted]
    return frozenset(row["lane"] for row in await connection.fetch(NOTICE_SQL, made, wanted))
