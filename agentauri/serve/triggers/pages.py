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
from agentauri.store.trigger_pages import Filter, list_marked, list_marks


async def list_page(
    connection: Connection, memory: Rendered, organization_id: UUID, wanted: Filter, *, limit: int, offset: int
) -> tuple[list[orjson.Fragment], int]:
    """A page of triggers as JSON, the newest first, and how many there are in all."""
    marks, total = await list_marks(connection, organization_id, wanted, limit=limit, offset=offset)
    found = {mark.id: memory.find(mark) for mark in marks}
    unknown = [id for id, text in found.items() if text is None]
    if unknown:
        found |= await _render(connection, memory, organization_id, unknown)
    return [orjson.Fragment(text) for text in found.values() if text is not None], total


async def _render(
    connection: Connection, memory: Rendered, organization_id: UUID, wanted: list[UUID]
) -> dict[UUID, bytes]:
    """Those of the triggers that there still are."""
    rendered = {}
    for mark, trigger in await list_marked(connection, organization_id, wanted):
        text = rendered[mark.id] = encode(public(trigger))
        if trigger.breaker.opened_at is None:
            memory.keep(mark, text)
    return rendered
