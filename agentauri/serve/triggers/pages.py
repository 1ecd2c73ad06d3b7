"""Lists of triggers: a page costs its marks, and the reading and rendering of what changed since it was last shown.

A rendered trigger is used while its mark is that of the database's rows, so no list is out of date, whoever changed
them. Breakers that are open are not remembered: their state changes with time alone.
"""

from uuid import UUID

import orjson

from agentauri.serve.answers import encode
from agentauri.serve.rendered import Rendered
from agentauri.serve.triggers.answer import public
from agentauri.store.database import Connection
from agentauri.store.trigger_pages import Filter, Mark, list_marked, list_marks


async def list_page(
    connection: Connection, memory: Rendered, organization_id: UUID, wanted: Filter, *, limit: int, offset: int
) -> tuple[list[orjson.Fragment], int]:
    """A page of triggers as JSON, the newest first, and how many there are in all."""
    marks, total = await list_marks(connection, organization_id, wanted, limit=limit, offset=offset)
    found = {mark.id: text for mark in marks if (text := memory.find(mark)) is not None}
    if len(found) < len(marks):
        found |= await _render(connection, memory, organization_id, [one for one in marks if one.id not in found])
    return [orjson.Fragment(found[mark.id]) for mark in marks if mark.id in found], total


async def _render(
    connection: Connection, memory: Rendered, organization_id: UUID, wanted: list[Mark]
) -> dict[UUID, bytes]:
    """Those of the triggers that there still are."""
    rendered = {}
    for mark, trigger in await list_marked(connection, organization_id, [one.id for one in wanted]):
        text = rendered[mark.id] = encode(public(trigger))
        if trigger.breaker.opened_at is None:
            memory.keep(mark, text)
    return rendered
