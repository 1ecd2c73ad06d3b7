"""The stream of events: what is new in the log, as it is committed, from where the client left off."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import Field

from agentauri.accounts.roles import Principal, Scope
from agentauri.errors import InvalidRequest
from agentauri.serve import API
from agentauri.serve.context import Context, In
from agentauri.serve.events import schemas
from agentauri.serve.events.routes import public, read_filter
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Require, require
from agentauri.serve.routing import Route
from agentauri.serve.schemas import given_out
from agentauri.serve.streams import PACE_SECONDS, PAGE, Beat, EventStream, message, place, stream_answer
from agentauri.store import event_tail, log
from agentauri.store.event_reads import Filter, Found
from agentauri.store.event_tail import Retracted

router = APIRouter(prefix=f"{API}/events", tags=["events"], route_class=Route)
READER = Require(Scope.EVENTS_READ, None, None)
Reader = Annotated[Principal, require(Scope.EVENTS_READ)]
LastSeq = Annotated[
    Annotated[
        str,
        Field(json_schema_extra={"pattern": schemas.SEQ}),
        given_out(schemas.SEQ, "leave it out to begin at the log's head"),
    ]
    | None,
    Header(alias="Last-Event-ID", description="The id of the last message that was seen."),
]
BEYOND = "the log does not go as far as this id; leave Last-Event-ID out to begin at its head."


@router.get(
    "/stream",
    operation_id="stream_events",
    status_code=200,
    response_class=EventStream,
    responses=errors(429) | stream_answer("event", 1204, schemas.EXAMPLE_EVENT),
)
async def stream_events(
    context: In,
    request: Request,
    principal: Reader,
    wanted: Annotated[Filter, Depends(read_filter)],
    last_seq: LastSeq = None,
) -> Response:
    """The chains' events as they come (server-sent events), in the order of the log; filters as those of the list.

    Messages are `event`, with the event as the list shows it, and `retraction` when a reorganisation took events back:
    `{seq, chain_id, fork_block, first_retracted_seq, retracted_count, created_at}`, narrowed by `chain_id` alone. The
    id of a message is its place in the log. With `Last-Event-ID` everything after it comes first, and nothing is left
    out; without, the stream begins at the head of the log. A comment comes every 15 seconds, with the id up to which
    the log was looked at. The last message, `end`, says why the server ended the stream.
    """
    async with context.pool.acquire() as connection:
        head = await log.head(connection)
    after = head if last_seq is None else int(last_seq)
    if after > head:
        raise InvalidRequest(BEYOND, [("/header/Last-Event-ID", BEYOND)])
    return EventStream(context.streams, principal, lambda: READER.find(request), _tell(context, wanted, after))


async def _tell(context: Context, wanted: Filter, after: int) -> AsyncGenerator[bytes, None]:
    """The messages after a seq, for ever; a page is read when the one before it was taken."""
    streams, beat = context.streams, Beat()
    yield place(after)
    while True:
        rings = streams.doorbell.bell.rings
        async with streams.reading, context.pool.acquire() as connection:
            page = await event_tail.read_after(connection, wanted, after, PAGE)
        for entry in page.entries:
            yield _message(entry)
            beat.told()
        after = page.upto
        if beat.is_due():
            yield place(after)
            beat.told()
        if not page.more:
            await streams.rest(rings)
        elif not page.entries:
            await asyncio.sleep(PACE_SECONDS)  # a filter that fits nothing far back leaves time to others


def _message(entry: Found | Retracted) -> bytes:
    if isinstance(entry, Retracted):
        return message("retraction", entry.seq, asdict(entry))
    shown: dict[str, Any] = public(entry)
    return message("event", entry.event.seq, shown)
