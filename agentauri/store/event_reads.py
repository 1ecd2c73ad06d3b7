"""Reading events as the API shows them: by id, or a page of the log from new to old.

Chain events are public data, so no organization stands here. Filters with an index (agent id, transaction, time's
partitions) narrow what is read; all others look at windows of the log, one after the other, until the page is full,
the log ends, or the time is up: then the page is short and its cursor goes on. So no filter can make a query long.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from agentauri.errors import NotFound
from agentauri.models.event import Event
from agentauri.models.fields import DATA, TAGS, Kind
from agentauri.store.database import Connection
from agentauri.store.patterns import containing

WINDOW_ROWS = 50_000
SEARCH_SECONDS = 0.5
"""After this no further window is begun."""
QUERY_SECONDS = 10.0
MAX_BIGINT = 2**63 - 1
COLUMNS = """seq, id, chain_id, registry, event_type, agent_id, contract, block_number, block_hash,
    extract(epoch FROM block_timestamp)::bigint AS block_timestamp, transaction_hash, log_index,
    data::text AS data_json, retracted_at, created_at"""
ADDRESSES = ("contract", *(f"data ->> '{name}'" for name, kind in DATA.items() if kind is Kind.ADDRESS))
ANY_ADDRESS = "{} IN (" + ", ".join(f"lower({place})" for place in ADDRESSES) + ")"
ANY_TAG = "{} IN (" + ", ".join(f"data ->> '{name}'" for name in TAGS) + ")"
ANY_TEXT = "(event_type ILIKE {} OR transaction_hash ILIKE {} OR data::text ILIKE {})"
BIG_AGENT = "agent_id IS NULL AND data ->> 'agent_id' = {}"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a page of events is narrowed by; None does not narrow. ``since`` is included, ``until`` is not."""

    chain_id: int | None = None
    registry: str | None = None
    event_type: str | None = None
    agent_id: int | None = None
    address: str | None = None
    tag: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    transaction_hash: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An event with what only the API shows of its row."""

    event: Event
    retracted_at: datetime | None
    created_at: datetime


class Search:
    """A filter as SQL: ``indexed`` conditions narrow what is read, ``looked_at`` ones are asked of every row read.

    $1 is left to the reader, for the seq that it is at; the arguments of ``indexed`` come before those of
    ``looked_at``.
    """

    def __init__(self, wanted: Filter) -> None:
        self.arguments: list[Any] = [None]
        self.indexed: list[str] = []
        self.looked_at: list[str] = []
        big = wanted.agent_id is not None and wanted.agent_id > MAX_BIGINT
        self._add(self.indexed, "agent_id = {}", None if big else wanted.agent_id)
        self._add(self.indexed, "left(transaction_hash, 66) = {}", wanted.transaction_hash)
        self._add(self.indexed, "block_timestamp >= {}", wanted.since)
        self._add(self.indexed, "block_timestamp < {}", wanted.until)
        self._indexed_arguments = len(self.arguments)
        self._add(self.looked_at, BIG_AGENT, str(wanted.agent_id) if big else None)
        self._add(self.looked_at, "chain_id = {}", wanted.chain_id)
        self._add(self.looked_at, "registry = {}", wanted.registry)
        self._add(self.looked_at, "event_type = {}", wanted.event_type)
        self._add(self.looked_at, ANY_ADDRESS, None if wanted.address is None else wanted.address.lower())
        self._add(self.looked_at, ANY_TAG, wanted.tag)
        self._add(self.looked_at, ANY_TEXT, containing(wanted.search))

    def _add(self, conditions: list[str], template: str, argument: Any) -> None:
        if argument is not None:
            self.arguments.append(argument)
            conditions.append(template.replace("{}", f"${len(self.arguments)}"))

    async def rows(self, connection: Connection, below: int, limit: int) -> list[asyncpg.Record]:
        """The newest rows below a seq that fit, at most ``limit``; looked at is one window."""
        where = " AND ".join(["seq < $1", *self.indexed])
        sql = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY seq DESC LIMIT {int(limit)}"
        if self.looked_at:
            sql = f"""SELECT {COLUMNS} FROM (
                    SELECT * FROM events WHERE {where} ORDER BY seq DESC LIMIT {WINDOW_ROWS}) AS e
                WHERE {" AND ".join(self.looked_at)} ORDER BY seq DESC LIMIT {int(limit)}"""
        return await connection.fetch(sql, below, *self.arguments[1:], timeout=QUERY_SECONDS)

    async def rows_after(self, connection: Connection, after: int, upto: int, limit: int) -> list[asyncpg.Record]:
        """The oldest rows in (after, upto] that fit, at most ``limit``."""
        where = " AND ".join(["seq > $1", f"seq <= {int(upto)}", *self.indexed, *self.looked_at])
        sql = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY seq LIMIT {int(limit)}"
        return await connection.fetch(sql, after, *self.arguments[1:], timeout=QUERY_SECONDS)

    async def window_end(self, connection: Connection, below: int) -> int | None:
        """The lowest seq of the window below a seq; None when the log ends within it, or nothing is looked at."""
        if not self.looked_at:
            return None
        where, skipped = " AND ".join(["seq < $1", *self.indexed]), WINDOW_ROWS - 1
        sql = f"SELECT seq FROM events WHERE {where} ORDER BY seq DESC OFFSET {skipped} LIMIT 1"
        arguments = self.arguments[1 : self._indexed_arguments]
        end: int | None = await connection.fetchval(sql, below, *arguments, timeout=QUERY_SECONDS)
        return end


async def get_event(connection: Connection, id: UUID) -> Found:
    """The event. Raises NotFound."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM events WHERE id = $1", id, timeout=QUERY_SECONDS)
    if row is None:
        raise NotFound("this event does not exist.")
    return found_in(row)


async def list_events(
    connection: Connection, wanted: Filter, *, before_seq: int | None, limit: int
) -> tuple[list[Found], int | None]:
    """A page below ``before_seq`` (None: the newest) and the seq below which it goes on; None: this is the end."""
    search = Search(wanted)
    found: list[Found] = []
    below, deadline = MAX_BIGINT if before_seq is None else before_seq, time.monotonic() + SEARCH_SECONDS
    while True:
        found += [found_in(row) for row in await search.rows(connection, below, limit - len(found) + 1)]
        if len(found) > limit:
            return found[:limit], found[limit - 1].event.seq
        end = await search.window_end(connection, below)
        if end is None or time.monotonic() > deadline:
            return found, end
        below = end


def found_in(row: asyncpg.Record) -> Found:
    """The event of a row that has COLUMNS."""
    columns = dict(row)
    retracted_at, created_at = columns.pop("retracted_at"), columns.pop("created_at")
    data = columns.pop("data_json").encode()
    return Found(Event(**columns, data_json=data), retracted_at, created_at)
