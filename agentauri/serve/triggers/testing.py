"""Testing triggers on events that happened, over the API: ask, look how far it is, follow it, cancel it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.models.trigger import TriggerDefinition, validate_trigger
from agentauri.serve import API
from agentauri.serve.answers import nothing, one
from agentauri.serve.context import Context, In
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Require, Resource, require
from agentauri.serve.reading import Route
from agentauri.serve.schemas import Id
from agentauri.serve.streams import EventStream, message, stream_answer
from agentauri.serve.triggers import service, trial
from agentauri.serve.triggers.actions import plan_actions, ref_of
from agentauri.serve.triggers.rendering import renderable
from agentauri.serve.triggers.routes import Writer, WriterOf
from agentauri.serve.triggers.testing_schemas import EXAMPLE_PROGRESS, NewTriggerTest, RangeBody, TriggerTestAnswer
from agentauri.store import trigger_tests, triggers
from agentauri.store.trigger_tests import Trial, TrialStatus

TELL_SECONDS = 0.25
APART: dict[int | str, dict[str, Any]] = {
    202: {"model": TriggerTestAnswer, "description": "It is run apart, and not done yet."}
}

router = APIRouter(prefix=f"{API}/triggers", tags=["triggers"], route_class=Route)
TESTER = Require(Scope.TRIGGERS_READ, None, Resource.TRIGGER_TEST)
ReaderOfTest = Annotated[Principal, require(Scope.TRIGGERS_READ, of=Resource.TRIGGER_TEST)]
WriterOfTest = Annotated[Principal, require(Scope.TRIGGERS_WRITE, of=Resource.TRIGGER_TEST)]


@router.post(
    "/test", operation_id="test_new_trigger", response_model=TriggerTestAnswer, responses={**errors(404), **APART}
)
async def test_new_trigger(context: In, principal: Writer, body: NewTriggerTest) -> Response:
    """What a trigger that need not exist would have done with events that happened. Sends nothing.

    A few events are worked off at once. For many the answer comes when they are done, or with 202 after
    `wait_seconds`: then `GET /triggers/tests/{id}` says how far it is, its stream as it goes on. `matches` are the
    first hundred.
    """
    sent = body.trigger.sent()
    fields = validate_trigger(sent)
    plan = plan_actions(context.vault, principal.organization_id, sent.get("actions", []), [])
    definition = TriggerDefinition.of(uuid4(), principal.organization_id, fields, [ref_of(row) for row in plan.rows])
    return await _answer(context, principal, definition, renderable([asdict(row) for row in plan.rows]), body, None)


@router.post("/{trigger_id}/test", operation_id="test_trigger", response_model=TriggerTestAnswer, responses=APART)
async def test_trigger(context: In, principal: WriterOf, trigger_id: Id, body: RangeBody) -> Response:
    """What the trigger, as it is now, would have done with events that happened, enabled or not. Sends nothing.

    State begins afresh with the range. Many events are worked off apart, as those of a trigger that is not stored.
    """
    async with context.pool.acquire() as connection:
        stored = await triggers.get_trigger(connection, principal.organization_id, trigger_id)
    refs = [ref_of(action) for action in stored.actions]
    definition = TriggerDefinition.of(stored.id, stored.organization_id, service.fields_of(stored), refs)
    return await _answer(context, principal, definition, renderable(stored.actions), body, trigger_id)


async def _answer(
    context: Context,
    principal: Principal,
    definition: TriggerDefinition,
    actions: list[dict[str, Any]],
    body: RangeBody,
    trigger_id: UUID | None,
) -> Response:
    found, is_done = await trial.ask(context, principal, definition, actions, body, trigger_id)
    return one(found, 200 if is_done else 202)


@router.get("/tests/{test_id}", operation_id="get_trigger_test", response_model=TriggerTestAnswer)
async def get_trigger_test(context: In, principal: ReaderOfTest, test_id: Id) -> Response:
    """How far a test is that is run apart, and what it found; it is kept for a day."""
    return one(await trial.show(await trial.look(context, principal, test_id)))


@router.delete("/tests/{test_id}", operation_id="cancel_trigger_test", status_code=204, response_class=Response)
async def cancel_trigger_test(context: In, principal: WriterOfTest, test_id: Id) -> Response:
    """Have a test stop; what it found so far stays. One that is done stays as it is."""
    async with context.pool.acquire() as connection:
        await trigger_tests.cancel(connection, principal.organization_id, test_id)
    return nothing()


@router.get(
    "/tests/{test_id}/stream",
    operation_id="stream_trigger_test",
    status_code=200,
    response_class=EventStream,
    responses=errors(429) | stream_answer("progress", 250_000, EXAMPLE_PROGRESS),
)
async def stream_trigger_test(context: In, request: Request, principal: ReaderOfTest, test_id: Id) -> Response:
    """How far a test is, as it goes on (server-sent events).

    Messages are `progress`, `{status, total, evaluated, fired}`, and at the end `done` with the whole test; then the
    stream ends. It may be left and taken up again at any time; the test goes on meanwhile.
    """
    await trial.look(context, principal, test_id)
    chunks = _tell(context, principal, test_id)
    return EventStream(context.streams, principal, lambda: TESTER.find(request), chunks, ends=True)


async def _tell(context: Context, principal: Principal, test_id: UUID) -> AsyncGenerator[bytes, None]:
    while True:
        found = await trial.look(context, principal, test_id)
        if found.status is not TrialStatus.RUNNING:
            yield message("done", "done", await trial.show(found))
            return
        yield message("progress", found.evaluated, _progress(found))
        await asyncio.sleep(TELL_SECONDS)


def _progress(found: Trial) -> dict[str, Any]:
    return {"status": found.status, "total": found.asked.total, "evaluated": found.evaluated, "fired": found.fired}
