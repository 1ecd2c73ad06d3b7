"""Reading the log forwards for streams: events that fit a filter, and the retractions among them, in seq order.

Seq order is commit order (protocol P1), so a page is a range of seqs, its end is the cursor, and nothing that comes
later can belong before it. A page looks at a bounded range, so no filter can make it slow; an empty one moves on too.
"""

from dataclasses import dataclass
from datetime import datetime

from agentauri.store import log
from agentauri.store.database import Connection
from agentauri.store.event_reads import Filter, Found, Search, found_in

WINDOW_SEQS = 50_000

RETRACTIONS_SQL = """
    SELECT seq, chain_id, fork_block, first_retracted_seq, retracted_count, created_at FROM retractions
    WHERE seq > $1 AND seq <= $2 AND ($3::bigint IS NULL OR chain_id = $3) ORDER BY seq LIMIT $4"""


@dataclass(frozen=True, slots=True)
class Retracted:
    """A reorganisation: the chain's events above ``fork_block``, the first of which is named, were taken back."""

    seq: int
    chain_id: int
    fork_block: int
    first_retracted_seq: int
    retracted_count: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TailPage:
    """What is new, in seq order, and the seq up to which everything was looked at; ``more``: the log goes on."""

    entries: tuple[Found | Retracted, ...]
    upto: int
    more: bool


async def read_after(connection: Connection, wanted: Filter, after: int, limit: int) -> TailPage:
    """At most ``limit`` events and as many retractions after a seq. Retractions are narrowed by the chain alone."""
    head = await _head(connection)
    upto = min(head, after + WINDOW_SEQS)
    if upto <= after:
        return TailPage((), after, False)
    retractions = await connection.fetch(RETRACTIONS_SQL, after, upto, wanted.chain_id, limit)
    if len(retractions) == limit:
        upto = retractions[-1]["seq"]
    events = await Search(wanted).rows_after(connection, after, upto, limit)
    if len(events) == limit:
        upto = events[-1]["seq"]
    told = [Retracted(*row) for row in retractions if row["seq"] <= upto]
    entries: list[Found | Retracted] = [*map(found_in, events), *told]
    return TailPage(tuple(sorted(entries, key=seq_of)), upto, upto < head)


async def _head(connection: Connection) -> int:
    heads = await log.heads(connection)
    return max(heads.events, heads.retractions)


def seq_of(entry: Found | Retracted) -> int:
    """The entry's place in the log."""
    return entry.seq if isinstance(entry, Retracted) else entry.event.seq
