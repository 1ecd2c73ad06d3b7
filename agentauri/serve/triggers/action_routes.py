"""The actions of a trigger: list, add, get, change, delete, test. Each change is a version of the trigger (P7)."""

from typing import Annotated

from fastapi import APIRouter, Request
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
from agentauri.serve.triggers.part_schemas import ActionAnswer, ActionChange, ActionId, ActionList, NewAction
from agentauri.serve.triggers.parts import ACTIONS
from agentauri.serve.triggers.send_test import TestSendAnswer, send
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/triggers/{{trigger_id}}/actions", tags=["triggers"], route_class=Route)
Reader = Annotated[Principal, require(Scope.TRIGGERS_READ, of=Resource.TRIGGER)]
Writer = Annotated[Principal, require(Scope.TRIGGERS_WRITE, of=Resource.TRIGGER)]


@router.get("", operation_id="list_trigger_actions", response_model=ActionList)
async def list_actions(
    context: In, principal: Reader, trigger_id: Id, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Response:
    """The trigger's actions, by priority; secrets are masked."""
    found = await parts.list_parts(context, principal, trigger_id, ACTIONS)
    return counted(found[offset : offset + limit], total=len(found), limit=limit, offset=offset)


@router.post("", operation_id="create_trigger_action", status_code=201, response_model=ActionAnswer)
async def create_action(
    context: In, principal: Writer, client: Anonymous, once: Once, trigger_id: Id, body: NewAction
) -> Response:
    """Add an action; it gets deliveries of the events that come after it."""

    async def work(connection: Connection) -> Response:
        sent = body.model_dump(exclude_unset=True)
        return one(await parts.add_part(context, connection, principal, client, trigger_id, ACTIONS, sent), 201)

    return await once.perform(principal, work)


@router.get("/{action_id}", operation_id="get_trigger_action", response_model=ActionAnswer)
async def get_action(context: In, principal: Reader, trigger_id: Id, action_id: ActionId) -> Response:
    """One action of the trigger."""
    return one(await parts.get_part(context, principal, trigger_id, ACTIONS, action_id))


@router.patch("/{action_id}", operation_id="change_trigger_action", response_model=ActionAnswer, responses=errors(409))
async def change_action(
    context: In, principal: Writer, client: Anonymous, trigger_id: Id, action_id: ActionId, body: ActionChange
) -> Response:
    """Change the fields that are sent; masked secrets stay. Waiting deliveries go where the action then sends to."""
    return one(await parts.change_part(context, principal, client, trigger_id, ACTIONS, action_id, body.sent()))


@router.delete(
    "/{action_id}",
    operation_id="delete_trigger_action",
    status_code=204,
    response_class=Response,
    responses=errors(409),
)
async def delete_action(
    context: In, principal: Writer, client: Anonymous, trigger_id: Id, action_id: ActionId
) -> Response:
    """Delete an action and cancel its undelivered deliveries."""
    await parts.delete_part(context, principal, client, trigger_id, ACTIONS, action_id)
    return nothing()


@router.post("/{action_id}/send-test", operation_id="send_test", response_model=TestSendAnswer, responses=errors(409))
async def send_test(request: Request, context: In, principal: Writer, trigger_id: Id, action_id: ActionId) -> Response:
    """Send a sample event to the action's receiver now, rendered, signed and guarded as a delivery is.

    The envelope says `"test": true`, and a header `X-AgentAuri-Test: true` does so beside templates of your own. It is
    sent once, within 20 seconds, also where the trigger or the action is disabled; no delivery is recorded. At most 60
    an hour.
    """
    await context.limiter.admit(request.scope, context.limiter.limits.trial(principal.organization_id))
    return one(await send(context, principal, trigger_id, action_id))
