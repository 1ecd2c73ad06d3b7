"""Reading a stretch of the log to work something out anew: narrowed where that leaves nothing out that matters.

A stretch lies between two seqs and holds the events that stood in their chains at a third; everything that narrows
it further is a number or one of a closed set, for COPY takes no parameters. Chain events are public data.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

from agentauri.models.event import Registry
from agentauri.store import log
from agentauri.store.database import Connection
from agentauri.store.log import PageTooLarge, Rows

PAGE_ROWS = 2_000
MOST_ROWS = 10_000
MEASURE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Agent:
    """Events of one agent alone; None: of those whose agent does not fit its column, or that have none."""

    id: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events in (after, upto], less those that a retraction at or below ``kept_at`` took out. None does not narrow.

    ``since`` is included, ``until`` is not; blocks are included at both ends, and belong to ``chain_id``.
    """

    after: int
    upto: int
    kept_at: int
    chain_id: int | None = None
    registry: Registry | None = None
    agent: Agent | None = None
    since: datetime | None = None
    until: datetime | None = None
    first_block: int | None = None
    last_block: int | None = None

    def where(self) -> str:
        """As SQL, made of numbers and registries' names alone."""
        narrowed = [f"seq > {int(self.after)}", f"seq <= {int(self.upto)}", log.standing(self.kept_at)]
        if self.chain_id is not None:
            narrowed.append(f"chain_id = {int(self.chain_id)}")
        if self.registry is not None:
            narrowed.append(f"registry = '{Registry(self.registry).value}'")
        if self.agent is not None:
            narrowed.append("agent_id IS NULL" if self.agent.id is None else f"agent_id = {int(self.agent.id)}")
        if self.since is not None:
            narrowed.append(f"block_timestamp >= to_timestamp({self.since.timestamp():f})")
        if self.until is not None:
            narrowed.append(f"block_timestamp < to_timestamp({self.until.timestamp():f})")
        if self.first_block is not None:
            narrowed.append(f"block_number >= {int(self.first_block)}")
        if self.last_block is not None:
            narrowed.append(f"block_number <= {int(self.last_block)}")
        return " AND ".join(narrowed)


async def pages(connection: Connection, stretch: Stretch, *, rows: int = PAGE_ROWS) -> AsyncIterator[Rows]:
    """The events of a stretch, page by page, as COPY text."""
    limit = rows
    while True:
        try:
            page = await log.copy_rows(connection, stretch.where(), limit)
        except PageTooLarge:
            limit = max(1, limit // 8)
            continue
        if page.count:
            yield page
        if page.count < limit:
            return
        stretch = replace(stretch, after=page.last_seq)
        limit = min(2 * limit, MOST_ROWS)


async def dropped_upto(connection: Connection) -> int:
    """Events above this seq are all there; some at or below it retention has taken away."""
    found: int = await connection.fetchval("SELECT upto FROM dropped_events")
    return found


async def end_times(connection: Connection, stretch: Stretch) -> dict[int, int]:
    """By chain, when a stretch that goes to the head of the log or to a time is over, in seconds since 1970.

    None of one that ends with a block, or is one event: what came after it is not part of the question.
    """
    if stretch.last_block is not None or stretch.upto != stretch.kept_at:
        return {}
    latest = float("inf") if stretch.until is None else stretch.until.timestamp()
    clocks = await log.clocks(connection)
    return {one.chain_id: int(min(one.time, latest)) for one in clocks if one.seq <= stretch.upto}


async def measure(connection: Connection, stretch: Stretch) -> tuple[int, int, int]:
    """How many events a stretch holds, and the seqs of its first and last one (0 where it holds none)."""
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(min(seq), 0), coalesce(max(seq), 0) FROM events WHERE {stretch.where()}",
        timeout=MEASURE_SECONDS,
    )
    assert row is not None
    return row[0], row[1], row[2]


async def seq_of_last(connection: Connection, count: int) -> int:
    """The seq with which the newest ``count`` events begin that stand in their chains; 0: there are not so many."""
    found: int | None = await connection.fetchval(
        "SELECT seq FROM events WHERE retracted_seq IS NULL ORDER BY seq DESC OFFSET $1 LIMIT 1",
        count - 1,
        timeout=MEASURE_SECONDS,
    )
    return found or 0
