"""Events: a page of the log from new to old, or one by its id. Public data: the same for every organization."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import continued, one
from agentauri.serve.context import In
from agentauri.serve.events import schemas
from agentauri.serve.principal import require
from agentauri.serve.routing import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Since, Until
from agentauri.store.event_reads import Filter, Found, get_event, list_events

router = APIRouter(prefix=f"{API}/events", tags=["events"], route_class=Route)
Reader = Annotated[Principal, require(Scope.EVENTS_READ)]
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"example": {"data": schemas.EXAMPLE_EVENT}}}}
}


async def read_filter(
    chain_id: schemas.ChainId = None,
    registry: schemas.RegistryFilter = None,
    event_type: schemas.EventType = None,
    agent_id: schemas.AgentId = None,
    address: schemas.Address = None,
    tag: schemas.Tag = None,
    since: Since = None,
    until: Until = None,
    transaction_hash: schemas.Transaction = None,
    search: schemas.Search = None,
) -> Filter:
    """The filters of the query string."""
    lowered = None if transaction_hash is None else transaction_hash.lower()
    return Filter(chain_id, registry, event_type, agent_id, address, tag, since, until, lowered, search)


def public(found: Found) -> dict[str, Any]:
    """An event as answers show it."""
    return {
        **found.event.public(),
        "retracted_at": found.retracted_at,
        "created_at": found.created_at,
    }


@router.get("", operation_id="list_events", response_model=schemas.EventList)
async def get_events(
    context: In,
    principal: Reader,
    wanted: Annotated[Filter, Depends(read_filter)],
    cursor: schemas.Seq = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """The chains' events, the newest first.

    Where a filter looks far back, a page may be short, or empty, although `has_more` is true: go on with its cursor.
    """
    below = None if cursor is None else int(cursor)
    async with context.searches, context.pool.acquire() as connection:
        found, end = await list_events(connection, wanted, before_seq=below, limit=limit)
    return continued([public(event) for event in found], limit=limit, next_cursor=None if end is None else str(end))


@router.get("/{event_id}", operation_id="get_event", response_model=schemas.EventAnswer, responses=ANSWER)
async def get_one_event(context: In, principal: Reader, event_id: Id) -> Response:
    """One event."""
    async with context.pool.acquire() as connection:
        return one(public(await get_event(connection, event_id)))
