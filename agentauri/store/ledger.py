"""What became of a trigger's matches, day by day of block time: the counts that evaluators keep, and its deliveries.

Matches, cool-downs and firings are counted when they are committed; outcomes are counted from the deliveries when
somebody asks, so the two can be held against each other. What a reorganisation takes back stays counted: it did fire,
and its deliveries are cancelled, or were delivered. What fires only because of one is counted then, once. A day without
either is left out. Deliveries that retention has taken away are in no outcome any more, notices of retractions in none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from agentauri.store.database import Connection
from agentauri.store.firings import Tally

QUERY_SECONDS = 20.0

LEDGER_SQL = """
    WITH days AS (
        SELECT day, matched, cooled_down, fired FROM trigger_ledger
        WHERE organization_id = $1 AND trigger_id = $2 AND day BETWEEN $3 AND $4),
    counted AS (
        SELECT left(context -> 'event' ->> 'block_timestamp', 10)::date AS day, status, count(*) AS n FROM deliveries
        WHERE organization_id = $1 AND trigger_id = $2 AND type = 'trigger.fired'
            AND left(context -> 'event' ->> 'block_timestamp', 10) BETWEEN $3::date::text AND $4::date::text
        GROUP BY 1, 2),
    outcomes AS (SELECT day, json_object_agg(status, n ORDER BY status) AS outcomes FROM counted GROUP BY day)
    SELECT day, coalesce(matched, 0), coalesce(cooled_down, 0), coalesce(fired, 0), coalesce(outcomes, '{}')
    FROM days FULL JOIN outcomes USING (day) ORDER BY day"""

# all organizations: an evaluator counts for all triggers of its partitions; rows take the organization of their trigger
ADD_SQL = """
    WITH l AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::date[], $3::bigint[], $4::bigint[]) AS l (trigger_id, day, n, last_fired)),
    ledger AS (
        INSERT INTO trigger_ledger AS old (trigger_id, organization_id, day, matched, fired)
        SELECT t.id, t.organization_id, l.day, l.n, l.n FROM l JOIN triggers AS t ON t.id = l.trigger_id
        ORDER BY t.id, l.day
        ON CONFLICT (trigger_id, day) DO UPDATE SET matched = old.matched + excluded.matched,
            fired = old.fired + excluded.fired),
    n AS (SELECT trigger_id, sum(n) AS fired, max(last_fired) AS last_fired FROM l GROUP BY trigger_id),
    locked AS (SELECT id FROM triggers WHERE id IN (SELECT trigger_id FROM n) ORDER BY id FOR NO KEY UPDATE)
    UPDATE triggers AS t SET fired_count = t.fired_count + n.fired,
        last_fired_at = greatest(t.last_fired_at, to_timestamp(n.last_fired))
    FROM n JOIN locked ON locked.id = n.trigger_id WHERE t.id = n.trigger_id"""


@dataclass(frozen=True, slots=True)
class Day:
    """One day. Every firing is, for each of its actions, in exactly one of ``outcomes``, counted by status."""

    day: date
    matched: int
    cooled_down: int
    fired: int
    outcomes: dict[str, int]


async def list_days(
    connection: Connection, organization_id: UUID, trigger_id: UUID, first: date, last: date
) -> list[Day]:
    """The days from ``first`` to ``last``, both included, the oldest first."""
    rows = await connection.fetch(LEDGER_SQL, organization_id, trigger_id, first, last, timeout=QUERY_SECONDS)
    return [Day(*row) for row in rows]


async def add_firings(connection: Connection, tallies: Sequence[Tally]) -> None:
    """Count firings that were made in this transaction; none of them is counted yet, nor silenced by a cool-down."""
    if tallies:
        columns = [(one.trigger_id, one.day, one.fired, one.last_fired) for one in tallies]
        await connection.execute(ADD_SQL, *map(list, zip(*columns, strict=True)))
