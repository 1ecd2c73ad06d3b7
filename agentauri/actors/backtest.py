"""Working off a part of a trigger's test: its own process, its own connection, the stored events page by page.

A part tells how far it is a few times a second, and by the answer learns that it was cancelled; then it stops. It
writes nothing but that, so nothing has to be undone when its process dies: whoever asks is told that it is lost.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from agentauri import logs
from agentauri.engine.backtest import Backtest, Found
from agentauri.models.page import parse_rows
from agentauri.models.trigger import TriggerDefinition
from agentauri.store import database, stretches, trigger_tests
from agentauri.store.database import Connection
from agentauri.store.stretches import Stretch
from agentauri.store.trigger_tests import Part, day_text

log = logs.get("backtest")

TELL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Work:
    """A part of a test; plain, so that it travels to its process."""

    test_id: UUID
    number: int
    definition: dict[str, Any]
    stretch: Stretch


def run(database_url: str, work: Work) -> None:
    """Work off a part in a process of its own."""
    asyncio.run(work_off_alone(database_url, work))


async def work_off_alone(database_url: str, work: Work) -> None:
    """Work off a part on a connection of its own; what goes wrong is told as the part's error."""
    connection = await database.connect(database_url, name="backtest")
    try:
        await work_off(connection, work)
    except Exception as error:
        log.error("backtest_failed", test=str(work.test_id), part=work.number, error=repr(error))
        if not connection.is_closed():
            failed = Part(error="the test failed through no fault of yours; ask again.", ended=True)
            await trigger_tests.tell(connection, work.test_id, work.number, failed)
        raise
    finally:
        await connection.close()


async def work_off(connection: Connection, work: Work) -> None:
    """Work off a part, or stop when nobody wants it any more."""
    backtest = Backtest(TriggerDefinition.from_json(work.definition))
    told_at, kept, error = time.monotonic(), 0, backtest.take_error()
    async for page in stretches.pages(connection, work.stretch):
        backtest.meet(parse_rows(page.text))
        error = backtest.take_error() or error
        now = time.monotonic()
        if now - told_at >= TELL_SECONDS:
            part = _part(backtest.found, with_matches=len(backtest.found.matches) > kept)
            if not await trigger_tests.tell(connection, work.test_id, work.number, part):
                return
            told_at, kept = now, len(backtest.found.matches)
        await asyncio.sleep(0)  # where it shares a process, others go on
    backtest.end(await stretches.end_times(connection, work.stretch))
    part = replace(_part(backtest.found), error=error, ended=True)
    await trigger_tests.tell(connection, work.test_id, work.number, part)


def _part(found: Found, *, with_matches: bool = True) -> Part:
    days = {day_text(day): count for day, count in found.days.items()}
    matches = found.matches if with_matches else None
    return Part(found.evaluated, found.matched, found.cooled_down, found.fired, days, matches)
