"""How many events of each kind the log has: counted once, in the background, and added to as the log grows.

The counts hold exactly up to a place in the log, which is told with them; each step adds a bounded range of seqs and
moves the place in the same statement, so a crash loses nothing and counts nothing twice (protocol P1). They are of
all that was ever stored: what retention drops stays counted.
"""

from dataclasses import dataclass
from datetime import datetime

from agentauri.store.database import Connection

STEP_SEQS = 50_000
MAX_KINDS = 1_000
"""Kinds that an answer lists; the contracts emit some dozens a chain."""
MAX_TYPE = 255

PLACE_SQL = """
    SELECT p.seq, greatest((SELECT coalesce(max(seq), 0) FROM events), (SELECT coalesce(max(seq), 0) FROM retractions))
    FROM event_counts_place AS p FOR UPDATE OF p"""

ADD_SQL = """
    WITH stored AS (
        SELECT chain_id, registry, left(event_type, $3) AS event_type, count(*) AS n FROM events
        WHERE seq > $1 AND seq <= $2 GROUP BY 1, 2, 3),
    gone AS (
        SELECT e.chain_id, e.registry, left(e.event_type, $3) AS event_type, count(*) AS n
        FROM retractions AS r JOIN events AS e
            ON e.seq >= r.first_retracted_seq AND e.seq < r.seq AND e.retracted_seq = r.seq
        WHERE r.seq > $1 AND r.seq <= $2 GROUP BY 1, 2, 3)
    INSERT INTO event_counts AS c (chain_id, registry, event_type, stored, retracted)
    SELECT chain_id, registry, event_type, coalesce(s.n, 0), coalesce(g.n, 0)
    FROM stored AS s FULL JOIN gone AS g USING (chain_id, registry, event_type)
    ON CONFLICT (chain_id, registry, event_type) DO UPDATE
        SET stored = c.stored + excluded.stored, retracted = c.retracted + excluded.retracted"""

LIST_SQL = """
    SELECT p.seq, p.counted_at, c.* FROM event_counts_place AS p LEFT JOIN (
        SELECT chain_id, registry, event_type, stored, retracted FROM event_counts
        WHERE $1::bigint IS NULL OR chain_id = $1
        ORDER BY chain_id, registry, stored DESC, event_type LIMIT $2) AS c ON true"""
"""One statement, so that counts and place belong together."""


@dataclass(frozen=True, slots=True)
class EventCount:
    """Events of one kind; ``retracted`` of the ``stored`` ones were taken back by a reorganisation."""

    chain_id: int
    registry: str
    event_type: str
    stored: int
    retracted: int


@dataclass(frozen=True, slots=True)
class EventCounts:
    """The counts, the place in the log up to which they hold, and when they reached it."""

    seq: int
    counted_at: datetime
    kinds: tuple[EventCount, ...]


async def add_step(connection: Connection) -> bool:
    """Count the next part of the log, in a transaction of its own; whether there is more."""
    async with connection.transaction():
        row = await connection.fetchrow(PLACE_SQL)
        assert row is not None
        place, head = int(row[0]), int(row[1])
        upto = min(head, place + STEP_SEQS)
        if upto > place:
            await connection.execute(ADD_SQL, place, upto, MAX_TYPE)
        await connection.execute("UPDATE event_counts_place SET seq = $1, counted_at = now()", max(place, upto))
    return upto < head


async def get_counts(connection: Connection, chain_id: int | None = None) -> EventCounts:
    """The counts as they now stand, of one chain or all."""
    rows = await connection.fetch(LIST_SQL, chain_id, MAX_KINDS)
    kinds = tuple(EventCount(*tuple(row)[2:]) for row in rows if row["chain_id"] is not None)
    return EventCounts(rows[0]["seq"], rows[0]["counted_at"], kinds)
