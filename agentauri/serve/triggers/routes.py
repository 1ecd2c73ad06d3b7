"""Triggers: list, create, get, change, delete, switch on and off."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.queries import documented, query_of
from agentauri.serve.reading import Route
from agentauri.serve.schemas import Id
from agentauri.serve.triggers import service
from agentauri.serve.triggers.pages import list_page
from agentauri.serve.triggers.schemas import (
    TriggerAnswer,
    TriggerBody,
    TriggerChange,
    TriggerList,
    TriggerQuery,
)
from agentauri.store.database import Connection
from agentauri.store.trigger_pages import Filter

router = APIRouter(prefix=f"{API}/triggers", tags=["triggers"], route_class=Route)
Query = Annotated[TriggerQuery, Depends(query_of(TriggerQuery))]
Reader = Annotated[Principal, require(Scope.TRIGGERS_READ)]
Writer = Annotated[Principal, require(Scope.TRIGGERS_WRITE)]
ReaderOf = Annotated[Principal, require(Scope.TRIGGERS_READ, of=Resource.TRIGGER)]
WriterOf = Annotated[Principal, require(Scope.TRIGGERS_WRITE, of=Resource.TRIGGER)]


@router.get("", operation_id="list_triggers", response_model=TriggerList, openapi_extra=documented(TriggerQuery))
async def list_triggers(context: In, principal: Reader, query: Query) -> Response:
    """The organization's triggers, the newest first."""
    wanted = Filter(query.chain_id, query.registry, query.enabled, query.search)
    limit, offset = query.limit, query.offset
    async with context.pool.acquire() as connection:
        found, total = await list_page(
            connection, context.rendered, principal.organization_id, wanted, limit=limit, offset=offset
        )
    return counted(found, total=total, limit=limit, offset=offset)


@router.post("", operation_id="create_trigger", status_code=201, response_model=TriggerAnswer)
async def create_trigger(context: In, principal: Writer, once: Once, body: TriggerBody) -> Response:
    """Create a trigger with its conditions and actions; it meets the events that come after it.

    With `start` it meets events of the past first, in their order, as if it had been there: beside the live path, and
    with deliveries as always. `start` of the answer, and of later ones, tells how far that is; until it joined the
    log, the trigger can be switched off and deleted, which ends the work, but not changed (409).
    """

    async def work(connection: Connection) -> Response:
        return one(await service.create(context, connection, principal, body.sent()), 201)

    return await once.perform(principal, work)


@router.get("/{trigger_id}", operation_id="get_trigger", response_model=TriggerAnswer)
async def get_trigger(context: In, principal: ReaderOf, trigger_id: Id) -> Response:
    """One trigger with its conditions and actions."""
    return one(await service.get(context, principal, trigger_id))


@router.patch("/{trigger_id}", operation_id="change_trigger", response_model=TriggerAnswer, responses=errors(409))
async def change_trigger(
    context: In, principal: WriterOf, client: Anonymous, trigger_id: Id, body: TriggerChange
) -> Response:
    """Change the fields that are sent; lists of conditions and actions are replaced whole.

    A condition sent with its id keeps its state where only its threshold changes; an action sent with its id keeps
    its waiting deliveries and the secrets that are sent back masked. Deliveries of actions left out are cancelled.
    """
    return one(await service.change(context, principal, client, trigger_id, body.sent()))


@router.delete("/{trigger_id}", operation_id="delete_trigger", status_code=204, response_class=Response)
async def delete_trigger(context: In, principal: WriterOf, client: Anonymous, trigger_id: Id) -> Response:
    """Delete a trigger and cancel its undelivered deliveries."""
    await service.delete(context, principal, client, trigger_id)
    return nothing()


@router.post("/{trigger_id}/enable", operation_id="enable_trigger", response_model=TriggerAnswer)
async def enable_trigger(context: In, principal: WriterOf, client: Anonymous, trigger_id: Id) -> Response:
    """Switch a trigger on; its state starts afresh."""
    return one(await service.set_enabled(context, principal, client, trigger_id, True))


@router.post("/{trigger_id}/disable", operation_id="disable_trigger", response_model=TriggerAnswer)
async def disable_trigger(context: In, principal: WriterOf, client: Anonymous, trigger_id: Id) -> Response:
    """Switch a trigger off; deliveries that wait are still sent."""
    return one(await service.set_enabled(context, principal, client, trigger_id, False))
