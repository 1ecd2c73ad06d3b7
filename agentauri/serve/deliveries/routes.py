"""Deliveries of the organization: a page of them, or one with all its attempts."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import continued, one
from agentauri.serve.context import In
from agentauri.serve.deliveries import schemas
from agentauri.serve.principal import Resource, require
from agentauri.serve.routing import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Cursor, Id, Limit, Since, Until
from agentauri.store import deliveries

router = APIRouter(prefix=f"{API}/deliveries", tags=["deliveries"], route_class=Route)
Reader = Annotated[Principal, require(Scope.DELIVERIES_READ)]
ReaderOf = Annotated[Principal, require(Scope.DELIVERIES_READ, of=Resource.DELIVERY)]


@router.get("", operation_id="list_deliveries", response_model=schemas.DeliveryList)
async def list_deliveries(
    context: In,
    principal: Reader,
    statuses: schemas.Statuses = None,
    trigger_id: schemas.OfTrigger = None,
    action_id: schemas.OfAction = None,
    channel: schemas.Channel = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Response:
    """What the organization's triggers sent and will send, the newest first."""
    async with context.pool.acquire() as connection:
        found, following = await deliveries.list_deliveries(
            connection,
            principal.organization_id,
            statuses=statuses,
            trigger_id=trigger_id,
            action_id=action_id,
            channel=channel,
            since=since,
            until=until,
            cursor=cursor,
            limit=limit,
        )
    return continued([asdict(delivery) for delivery in found], limit=limit, next_cursor=following)


@router.get("/{delivery_id}", operation_id="get_delivery", response_model=schemas.DeliveryAnswer)
async def get_delivery(context: In, principal: ReaderOf, delivery_id: Id) -> Response:
    """One delivery with what it is made from and every attempt."""
    async with context.pool.acquire() as connection:
        found = await deliveries.get_delivery(connection, principal.organization_id, delivery_id)
    return one(public(found))


def public(found: deliveries.DeliveryDetail) -> dict[str, Any]:
    """A delivery as its own answer shows it."""
    return {
        **asdict(found.delivery),
        "context": found.context,
        "attempts": [asdict(attempt) for attempt in found.attempts],
    }
