"""What became of a trigger's matches, day by day of block time: the counts that evaluators keep, and its deliveries.

Matches, cool-downs and firings are counted when they are committed; outcomes are counted from the deliveries when
somebody asks, so the two can be held against each other. A day without either is left out. Deliveries that retention
has taken away are in no outcome any more, notices of retractions in none.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from agentauri.store.database import Connection

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
