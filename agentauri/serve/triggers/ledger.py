"""The ledger of a trigger: what matched, what fired, and what became of it, a line a day."""

import re
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, Field, WithJsonSchema

from agentauri.errors import InvalidRequest
from agentauri.models.delivery import DeliveryStatus
from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.context import In
from agentauri.serve.reading import Route
from agentauri.serve.schemas import Id, Moment, Schema
from agentauri.serve.triggers.routes import ReaderOf
from agentauri.store import ledger, triggers

DEFAULT_DAYS = 30
MAX_DAYS = 366
ORDER = "must not be before `from`."
TOO_LONG = f"must be at most {MAX_DAYS} days after `from`."
EXAMPLE_DAY = "2026-11-23"
DAY = r"^(19[7-9][0-9]|[2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def _written(raw: object) -> object:
    if not isinstance(raw, str) or not re.fullmatch(DAY, raw):
        raise ValueError("must be a day such as 2026-11-23, or a time, between the years 1970 and 9998.")
    return raw


Day = Annotated[
    date,
    BeforeValidator(_written),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY, "examples": [EXAMPLE_DAY]}),
]
DayOrTime = Annotated[Day | Moment, Field(union_mode="left_to_right")]
"""What is neither is told what the first of them says."""

router = APIRouter(prefix=f"{API}/triggers", tags=["triggers"], route_class=Route)
From = Annotated[
    DayOrTime | None,
    Query(alias="from", description="The first day, or a time in it; 30 days back by default.", examples=[EXAMPLE_DAY]),
]
To = Annotated[
    DayOrTime | None,
    Query(alias="to", description="The last day, or a time just after it; today by default.", examples=[EXAMPLE_DAY]),
]


class LedgerDay(Schema):
    """A day of block time in UTC. A match that a cool-down silenced is in `cooled_down`, any other in `fired`."""

    day: date = Field(examples=[EXAMPLE_DAY])
    matched: int
    cooled_down: int
    fired: int
    outcomes: dict[DeliveryStatus, int] = Field(
        description="Deliveries by status: one for each firing and action.", examples=[{"delivered": 2}]
    )


class Ledger(Schema):
    """Days with anything in them, the oldest first."""

    data: list[LedgerDay]


@router.get("/{trigger_id}/ledger", operation_id="get_trigger_ledger", response_model=Ledger)
async def get_trigger_ledger(
    context: In, principal: ReaderOf, trigger_id: Id, since: From = None, until: To = None
) -> Response:
    """What the trigger matched, fired and sent, by the day of the events' blocks.

    Every firing is, for each action that the trigger had then, in exactly one of the outcomes; `GET /deliveries` lists
    them with their reasons. Deliveries older than the deployment keeps them are in none. What a reorganisation of the
    chain takes back stays counted, as its deliveries stay: cancelled, or delivered before. What fires only because of
    one is counted then. A match is in `cooled_down` when it was silenced as it was met.
    """
    first, last = _days(since, until)
    async with context.searches, context.pool.acquire() as connection:
        await triggers.get_trigger(connection, principal.organization_id, trigger_id)
        days = await ledger.list_days(connection, principal.organization_id, trigger_id, first, last)
    return one([asdict(day) for day in days])


def _days(since: DayOrTime | None, until: DayOrTime | None) -> tuple[date, date]:
    """The first and the last day that are meant. Raises InvalidRequest."""
    last = datetime.now(UTC).date() if until is None else _last_day(until)
    first = last - timedelta(days=DEFAULT_DAYS) if since is None else _day(since)
    if last < first:
        raise InvalidRequest(f"`to` {ORDER}", [("/query/to", ORDER)])
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequest(f"`to` {TOO_LONG}", [("/query/to", TOO_LONG)])
    return first, last


def _day(moment: DayOrTime) -> date:
    return moment.astimezone(UTC).date() if isinstance(moment, datetime) else moment


def _last_day(moment: DayOrTime) -> date:
    """A time stands for what is before it, as in every list; a day stands for the whole of it."""
    return _day(moment - timedelta(microseconds=1)) if isinstance(moment, datetime) else moment
