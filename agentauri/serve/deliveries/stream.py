"""The stream of an organization's deliveries: each change of status, from where the client left off."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import Field

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.context import Context, In
from agentauri.serve.deliveries.schemas import EXAMPLE_DELIVERY
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Require, require
from agentauri.serve.routing import Route
from agentauri.serve.schemas import EXAMPLE_ID
from agentauri.serve.streams import PAGE, Beat, EventStream, message, place, stream_answer
from agentauri.store import delivery_changes
from agentauri.store.delivery_changes import Pass, Position, Snapshot

router = APIRouter(prefix=f"{API}/deliveries", tags=["deliveries"], route_class=Route)
READER = Require(Scope.DELIVERIES_READ, None, None)
Reader = Annotated[Principal, require(Scope.DELIVERIES_READ)]
LastPosition = Annotated[
    Annotated[str, Field(json_schema_extra={"pattern": r"^[0-9a-f-]{1,56}$"})] | None,
    Header(alias="Last-Event-ID", description="The id of the last message that was seen."),
]
LOOK_SECONDS = 0.5
LOOK_SHARE = 0.1
"""Looking takes at most this part of the time: after a slow look the next one is later."""


@router.get(
    "/stream",
    operation_id="stream_deliveries",
    status_code=200,
    response_class=EventStream,
    responses=errors(429) | stream_answer("delivery", f"8004-{EXAMPLE_ID}", EXAMPLE_DELIVERY),
)
async def stream_deliveries(
    context: In, request: Request, principal: Reader, last_position: LastPosition = None
) -> Response:
    """The organization's deliveries as they change (server-sent events): a message `delivery` for each change.

    A message holds the delivery as the list shows it. Every change is told within about a second, and the latest state
    of every delivery always arrives; states that follow each other faster may be merged into the last. With
    `Last-Event-ID` everything that changed since comes first; what happened right around the break may be told twice.
    Without, the stream begins with what changes from now on. A comment comes every 15 seconds. The last message,
    `end`, says why the server ended the stream.
    """
    async with context.pool.acquire() as connection:
        since = await delivery_changes.get_snapshot(connection)
    start = Position(since.lowest)
    if last_position is not None:
        start = delivery_changes.parse_position(last_position, since)
        since = delivery_changes.all_before(start)
    told = _tell(context, principal.organization_id, since, start)
    return EventStream(context.streams, principal, lambda: READER.find(request), told)


async def _tell(
    context: Context, organization_id: UUID, since: Snapshot, start: Position
) -> AsyncGenerator[bytes, None]:
    """The changes that ``since`` has not seen, for ever; a page is read when the one before it was taken."""
    streams, beat = context.streams, Beat()
    yield place(start)
    while True:
        began = time.monotonic()
        async with streams.reading, context.pool.acquire() as connection:
            until = await delivery_changes.get_snapshot(connection)
        a_pass = Pass(organization_id, since, until, start)
        more = until != since
        while more:
            async with streams.reading, context.pool.acquire() as connection:
                page = await a_pass.read(connection, PAGE)
            for change in page:
                yield message("delivery", change.position, asdict(change.delivery))
                beat.told()
            more = len(page) == PAGE
        since, start = until, Position(until.lowest)
        if beat.is_due():
            yield place(start)
            beat.told()
        await asyncio.sleep(max(LOOK_SECONDS, (time.monotonic() - began) / LOOK_SHARE))
