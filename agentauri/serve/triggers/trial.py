"""Testing a trigger on events that happened: which events, at once or apart, and what is shown of it. Sends nothing.

A few events are worked off within the request. Many are a test that is written down and worked off by tasks of their
own, in parallel where no event depends on earlier ones; it goes on when whoever asked goes away, until it is
cancelled. The range ends at the head of the log as it was asked, and holds nothing that a retraction took out.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

from agentauri.accounts.roles import Principal
from agentauri.actors import handles
from agentauri.engine.backtest import Backtest
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.serve.context import Context
from agentauri.serve.triggers.rendering import Renderings
from agentauri.serve.triggers.testing_schemas import RangeBody
from agentauri.store import event_reads, log, stretches, trigger_tests
from agentauri.store.database import Connection
from agentauri.store.stretches import Stretch
from agentauri.store.trigger_tests import Asked, Trial, TrialStatus, day_text

INLINE_EVENTS = 2_000
"""So few are worked off within the request."""
PART_EVENTS = 100_000
MOST_PARTS = 4
"""Of one test at once; the cores belong to the path of live events."""
POLL_SECONDS = 0.1
MOST_SHOWN = 100
"""Matches; each part keeps as many."""


async def ask(
    context: Context,
    principal: Principal,
    definition: TriggerDefinition,
    actions: list[dict[str, Any]],
    wanted: RangeBody,
    trigger_id: UUID | None = None,
) -> tuple[dict[str, Any], bool]:
    """The test as it stands when it is done, or has run for as long as was to be waited; and whether it is done."""
    async with context.searches, context.pool.acquire() as connection:
        stretch = await _stretch(connection, definition, wanted)
        total, first, last = await stretches.measure(connection, stretch)
        if total <= INLINE_EVENTS:
            return await _at_once(connection, definition, actions, stretch, total), True
    asked = Asked(uuid4(), principal.organization_id, trigger_id, definition.to_json(), actions, total)
    parts = _parts(definition, stretch, first, last, total)
    async with context.pool.acquire() as connection, connection.transaction():
        await trigger_tests.begin(connection, asked, len(parts))
    url = context.settings.stores.database_url.get_secret_value()
    await handles.work_off_test(url, asked.id, asked.definition, parts)
    return await _wait(context, principal, asked.id, wanted.wait_seconds)


async def _stretch(connection: Connection, definition: TriggerDefinition, wanted: RangeBody) -> Stretch:
    """The events that are meant. Raises NotFound."""
    head = await log.head(connection)
    whole = Stretch(0, head, head)
    if wanted.event_id is not None:
        found = await event_reads.get_event(connection, wanted.event_id)
        seq = found.event.seq
        return Stretch(seq - 1, seq, seq - 1)  # one that was taken back can be asked about too
    if wanted.last_seconds is not None:
        return replace(whole, since=datetime.now(UTC) - timedelta(seconds=wanted.last_seconds))
    if isinstance(wanted.last, int):
        return replace(whole, after=max(0, await stretches.seq_of_last(connection, wanted.last) - 1))
    if wanted.from_block is not None or wanted.to_block is not None:
        chain = definition.chain_id
        return replace(whole, chain_id=chain, first_block=wanted.from_block, last_block=wanted.to_block)
    return replace(whole, since=wanted.from_, until=wanted.to)


async def _at_once(
    connection: Connection, definition: TriggerDefinition, actions: list[dict[str, Any]], stretch: Stretch, total: int
) -> dict[str, Any]:
    backtest = Backtest(definition)
    error = backtest.take_error()
    async for page in stretches.pages(connection, stretch):
        backtest.meet(parse_rows(page.text))
        error = backtest.take_error() or error
    backtest.end(await stretches.end_times(connection, stretch))
    found, trigger = backtest.found, {"id": str(definition.id), "name": definition.name}
    return {
        "id": None,
        "status": TrialStatus.DONE,
        "error": error,
        "total": total,
        "evaluated": found.evaluated,
        "matched": found.matched,
        "cooled_down": found.cooled_down,
        "fired": found.fired,
        "days": [{"day": day_text(day), "fired": count} for day, count in sorted(found.days.items())],
        "matches": await _matches(trigger, actions, found.matches),
    }


def _parts(definition: TriggerDefinition, stretch: Stretch, first: int, last: int, total: int) -> list[Stretch]:
    """Where each part of the work begins and ends; one part where an event depends on those before it."""
    if definition.keeps_state:
        return [stretch]
    count = min(MOST_PARTS, -(-total // PART_EVENTS))
    ends = [first - 1 + (last - first + 1) * number // count for number in range(count + 1)]
    return [replace(stretch, after=after, upto=upto) for after, upto in pairwise(ends)]


async def _wait(context: Context, principal: Principal, test_id: UUID, seconds: float) -> tuple[dict[str, Any], bool]:
    deadline = time.monotonic() + seconds
    while True:
        trial = await look(context, principal, test_id)
        is_done = trial.status is not TrialStatus.RUNNING
        if is_done or time.monotonic() >= deadline:
            return await show(trial), is_done
        await asyncio.sleep(POLL_SECONDS)


async def look(context: Context, principal: Principal, test_id: UUID) -> Trial:
    """A test that is run apart, as it stands. Raises NotFound."""
    async with context.pool.acquire() as connection:
        return await trigger_tests.get_test(connection, principal.organization_id, test_id)


async def show(trial: Trial) -> dict[str, Any]:
    """A test as answers show it, with what would have been sent: up to two seconds of work, so not at every look."""
    trigger = {name: trial.asked.definition[name] for name in ("id", "name")}
    return {
        "id": trial.id,
        "status": trial.status,
        "error": trial.error,
        "total": trial.asked.total,
        "evaluated": trial.evaluated,
        "matched": trial.matched,
        "cooled_down": trial.cooled_down,
        "fired": trial.fired,
        "days": [{"day": day, "fired": count} for day, count in trial.days.items()],
        "matches": await _matches(trigger, trial.asked.actions, trial.matches[:MOST_SHOWN]),
    }


async def _matches(
    trigger: dict[str, Any], actions: list[dict[str, Any]], matches: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    renderings = Renderings(trigger, actions)
    return [
        {
            "event_id": match["event"]["id"],
            "event_seq": match["event"]["seq"],
            "block_timestamp": match["event"]["block_timestamp"],
            "group": match["group"],
            "computed": match["computed"],
            "actions": await renderings.of(match),
        }
        for match in matches
    ]
