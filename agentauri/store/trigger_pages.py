"""Pages of triggers, in two steps: which triggers as which rows, then the whole of those that are wanted.

The first step is cheap, and whoever remembers what it made of a row needs no more (``serve/triggers/pages.py``). Rows
may change between the two, so each step tells the mark of what it read. Every read names the organization.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from agentauri.store.database import Connection
from agentauri.store.patterns import containing
from agentauri.store.triggers import COLUMNS, PARTS, Trigger, trigger_of

MARK = """t.id, ROW(t.xmin, t.updated_at,
    (SELECT b.xmin FROM trigger_breakers AS b WHERE b.trigger_id = t.id AND b.organization_id = t.organization_id),
    (SELECT s.xmin FROM trigger_starts AS s WHERE s.trigger_id = t.id AND s.organization_id = t.organization_id),
    array(SELECT a.xmin FROM trigger_actions AS a
        WHERE a.trigger_id = t.id AND a.organization_id = t.organization_id ORDER BY a.priority, a.id))::text"""
"""The last writers of every row that an answer shows; conditions are only ever written along with their trigger."""
MARK_WIDTH = 2


class Mark(NamedTuple):
    """What tells whether a trigger, its parts, its breaker and its start are as they were: equal marks, equal rows.

    Transactions' numbers alone could come again after a fail-over that lost some; the time of the last change does not.
    """

    id: UUID
    written_by: str


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of triggers is narrowed by; None does not narrow."""

    chain_id: int | None = None
    registry: str | None = None
    enabled: bool | None = None
    search: str | None = None


async def list_marks(
    connection: Connection, organization_id: UUID, wanted: Filter, *, limit: int, offset: int
) -> tuple[list[Mark], int]:
    """A page by its marks alone, the newest trigger first, and how many there are in all."""
    where, values = _narrowed(wanted)
    count = f"SELECT count(*) FROM triggers AS t WHERE t.organization_id = $1{where}"
    # With the limit in the text, and without what narrows nothing, one plan does for all: none is made per request.
    rows = await connection.fetch(
        f"""SELECT {MARK}, ({count}) FROM triggers AS t WHERE t.organization_id = $1{where}
            ORDER BY t.created_at DESC, t.id LIMIT {limit:d}{f" OFFSET {offset:d}" if offset else ""}""",
        organization_id,
        *values,
    )
    if rows or not offset:
        return [Mark(row[0], row[1]) for row in rows], rows[0][MARK_WIDTH] if rows else 0
    return [], await connection.fetchval(count, organization_id, *values)


def _narrowed(wanted: Filter) -> tuple[str, list[object]]:
    """What follows the organization in a WHERE, and its values from $2 on."""
    text, values = "", list[object]()
    for column, value in (("chain_id", wanted.chain_id), ("registry", wanted.registry), ("enabled", wanted.enabled)):
        if value is not None:
            values.append(value)
            text += f" AND t.{column} = ${len(values) + 1}"
    if wanted.search is not None:
        values.append(containing(wanted.search))
        text += f" AND (t.name ILIKE ${len(values) + 1} OR t.description ILIKE ${len(values) + 1})"
    return text, values


async def list_marked(connection: Connection, organization_id: UUID, ids: Sequence[UUID]) -> list[tuple[Mark, Trigger]]:
    """Those of these triggers that there still are, each with its mark, in no order."""
    rows = await connection.fetch(
        f"""SELECT {MARK}, {COLUMNS}, {PARTS} FROM triggers AS t
            WHERE t.organization_id = $1 AND t.id = ANY($2::uuid[])""",
        organization_id,
        list(ids),
    )
    return [(Mark(*row[:MARK_WIDTH]), trigger_of(row[MARK_WIDTH:])) for row in map(tuple, rows)]


async def list_triggers(
    connection: Connection, organization_id: UUID, wanted: Filter, *, limit: int, offset: int
) -> list[Trigger]:
    """A page of whole triggers, the newest first."""
    marks, _ = await list_marks(connection, organization_id, wanted, limit=limit, offset=offset)
    found = {mark.id: one for mark, one in await list_marked(connection, organization_id, [one.id for one in marks])}
    return [found[mark.id] for mark in marks if mark.id in found]
