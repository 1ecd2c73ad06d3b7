"""Steering deliveries: send again, one or by filter; cancel or discard."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.caller import note
from agentauri.serve.context import In
from agentauri.serve.deliveries.routes import public
from agentauri.serve.deliveries.schemas import DeliveryAnswer
from agentauri.serve.deliveries.steering_schemas import ReplayAnswer, ReplayBody
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.ringing import ring_deliverers
from agentauri.serve.schemas import Id
from agentauri.store import deliveries, replays
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/deliveries", tags=["deliveries"], route_class=Route)
Writer = Annotated[Principal, require(Scope.DELIVERIES_WRITE)]
WriterOf = Annotated[Principal, require(Scope.DELIVERIES_WRITE, of=Resource.DELIVERY)]


@router.post("/replay", operation_id="replay_deliveries", response_model=ReplayAnswer)
async def replay_deliveries(principal: Writer, client: Anonymous, once: Once, body: ReplayBody) -> Response:
    """Send again what fits: dead deliveries, suppressed or cancelled ones only when their status is named.

    At most 1000 a call, the oldest first; `has_more` says whether to call again. They keep their ids. Deliveries of
    actions that are gone or disabled, and of events that a reorganisation took back, are left alone.
    """
    lanes: set[str] = set()

    async def work(connection: Connection) -> Response:
        done = await replays.replay_matching(connection, principal.organization_id, body.filter(), limit=body.limit)
        lanes.update(done.lanes)
        if done.count:
            target = f"organization:{principal.organization_id}"
            await note(connection, principal, client, "delivery.replayed", target, {"count": done.count})
        return one({"replayed": done.count, "has_more": done.more})

    answer = await once.perform(principal, work)
    ring_deliverers(lanes)
    return answer


@router.post(
    "/{delivery_id}/replay", operation_id="replay_delivery", response_model=DeliveryAnswer, responses=errors(409)
)
async def replay_delivery(principal: WriterOf, client: Anonymous, once: Once, delivery_id: Id) -> Response:
    """Send a dead, suppressed or cancelled delivery again, under its id; attempt numbers go on."""
    lanes: set[str] = set()

    async def work(connection: Connection) -> Response:
        lanes.update(await replays.replay_one(connection, principal.organization_id, delivery_id))
        await note(connection, principal, client, "delivery.replayed", f"delivery:{delivery_id}")
        return one(public(await deliveries.get_delivery(connection, principal.organization_id, delivery_id)))

    answer = await once.perform(principal, work)
    ring_deliverers(lanes)
    return answer


@router.post(
    "/{delivery_id}/cancel", operation_id="cancel_delivery", response_model=DeliveryAnswer, responses=errors(409)
)
async def cancel_delivery(context: In, principal: WriterOf, client: Anonymous, delivery_id: Id) -> Response:
    """Cancel a delivery that waits, or discard one that is held, dead or suppressed."""
    async with context.pool.acquire() as connection, connection.transaction():
        await deliveries.cancel(connection, principal.organization_id, delivery_id)
        await note(connection, principal, client, "delivery.cancelled", f"delivery:{delivery_id}")
        return one(public(await deliveries.get_delivery(connection, principal.organization_id, delivery_id)))
