"""The conditions of a trigger: list, add, get, change, delete. Each change is a version of the trigger (P7)."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one
from agentauri.serve.context import In
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.serve.triggers import parts
from agentauri.serve.triggers.part_schemas import (
    ConditionAnswer,
    ConditionChange,
    ConditionId,
    ConditionList,
    NewCondition,
)
from agentauri.serve.triggers.parts import CONDITIONS
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/triggers/{{trigger_id}}/conditions", tags=["triggers"], route_class=Route)
Reader = Annotated[Principal, require(Scope.TRIGGERS_READ, of=Resource.TRIGGER)]
Writer = Annotated[Principal, require(Scope.TRIGGERS_WRITE, of=Resource.TRIGGER)]


@router.get("", operation_id="list_trigger_conditions", response_model=ConditionList)
async def list_conditions(
    context: In, principal: Reader, trigger_id: Id, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The trigger's conditions, in their order; those within groups stand in their group."""
    found = await parts.list_parts(context, principal, trigger_id, CONDITIONS)
    return counted(found[offset : offset + limit], total=len(found), limit=limit, offset=offset)


@router.post("", operation_id="create_trigger_condition", status_code=201, response_model=ConditionAnswer)
async def create_condition(
    context: In, principal: Writer, client: Anonymous, once: Once, trigger_id: Id, body: NewCondition
) -> Response:
    """Add a condition after the others; all of them have to hold."""

    async def work(connection: Connection) -> Response:
        sent = body.model_dump(exclude_unset=True)
        return one(await parts.add_part(context, connection, principal, client, trigger_id, CONDITIONS, sent), 201)

    return await once.perform(principal, work)


@router.get("/{condition_id}", operation_id="get_trigger_condition", response_model=ConditionAnswer)
async def get_condition(context: In, principal: Reader, trigger_id: Id, condition_id: ConditionId) -> Response:
    """One condition of the trigger."""
    return one(await parts.get_part(context, principal, trigger_id, CONDITIONS, condition_id))


@router.patch(
    "/{condition_id}",
    operation_id="change_trigger_condition",
    response_model=ConditionAnswer,
    responses=errors(409),
)
async def change_condition(
    context: In, principal: Writer, client: Anonymous, trigger_id: Id, condition_id: ConditionId, body: ConditionChange
) -> Response:
    """Change the fields that are sent. State stays where only the threshold changes, else it starts afresh."""
    return one(await parts.change_part(context, principal, client, trigger_id, CONDITIONS, condition_id, body.sent()))


@router.delete(
    "/{condition_id}",
    operation_id="delete_trigger_condition",
    status_code=204,
    response_class=Response,
    responses=errors(409),
)
async def delete_condition(
    context: In, principal: Writer, client: Anonymous, trigger_id: Id, condition_id: ConditionId
) -> Response:
    """Delete a condition. The last one stays, unless the trigger has `match_all`."""
    await parts.delete_part(context, principal, client, trigger_id, CONDITIONS, condition_id)
    return nothing()
