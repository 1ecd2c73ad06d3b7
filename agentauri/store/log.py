"""Reading the log: pages of events as PostgreSQL's own COPY text, with the versions and retractions among them.

A reader that has seen seq n has seen everything below n, because seq order is commit order (protocol P1); so a page
is a range of seqs and a cursor is one integer. Pages are bounded in rows and bytes. Nothing here writes.
"""

# all organizations: an evaluator gets the versions of everybody's triggers

from dataclasses import dataclass

from agentauri.errors import StoreError
from agentauri.models.page import Clock, Page, Retraction, Version
from agentauri.store.database import Connection

MAX_PAGE_BYTES = 64 * 2**20
"""A page beyond this is read again with fewer rows, down to a single one."""

COLUMNS_SQL = """
    seq, id, chain_id, registry, event_type, agent_id, contract, block_number, block_hash,
    extract(epoch FROM block_timestamp)::bigint, transaction_hash, log_index, data"""

HEADS_SQL = """
    SELECT coalesce((SELECT max(seq) FROM events), 0), coalesce((SELECT max(seq) FROM retractions), 0),
        coalesce((SELECT max(from_seq) FROM trigger_versions), 0)"""

VERSIONS_SQL = """
    SELECT v.trigger_id, v.from_seq, v.partition, v.definition, s.state, s.changes FROM trigger_versions AS v
    LEFT JOIN trigger_starts AS s ON s.trigger_id = v.trigger_id AND s.joined_seq = v.from_seq
    WHERE v.from_seq > $1 AND v.from_seq <= $2 ORDER BY v.from_seq"""

RETRACTIONS_SQL = """
    SELECT seq, chain_id, fork_block, first_retracted_seq FROM retractions
    WHERE seq > $1 AND seq <= $2 ORDER BY seq"""

CLOCKS_SQL = """
    SELECT chain_id, extract(epoch FROM confirmed_time)::bigint AS time, confirmed_seq AS seq
    FROM chains WHERE confirmed_time IS NOT NULL ORDER BY chain_id"""


class PageTooLarge(StoreError):
    """The rows asked for are more than MAX_PAGE_BYTES together."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of a page as COPY text; ``last_seq`` is that of the last one, 0 if there is none."""

    count: int
    last_seq: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Heads:
    """The greatest committed seq of each kind of row of the log; 0 where there is none."""

    events: int = 0
    retractions: int = 0
    versions: int = 0

    @property
    def seq(self) -> int:
        """The head of the log."""
        return max(self.events, self.retractions, self.versions)


async def heads(connection: Connection) -> Heads:
    """How far the log goes, by kind, in one snapshot."""
    row = await connection.fetchrow(HEADS_SQL)
    assert row is not None
    return Heads(*row)


async def head(connection: Connection) -> int:
    """The greatest seq that is committed; 0 in an empty log."""
    return (await heads(connection)).seq


async def read_rows(connection: Connection, after: int, upto: int, limit: int, *, kept_at: int | None = None) -> Rows:
    """At most ``limit`` events in (after, upto].

    ``kept_at``: leave out what a retraction at or below that seq took out of its chain (for replays, protocol P18).
    Raises PageTooLarge, except for a single event.
    """
    kept = "" if kept_at is None else f"AND {standing(kept_at)}"
    # COPY takes no parameters; int() keeps this free of anything but numbers.
    return await copy_rows(connection, f"seq > {int(after)} AND seq <= {int(upto)} {kept}", limit)


def standing(at: int) -> str:
    """That an event is not taken out of its chain by a retraction at or below seq ``at``."""
    return f"(retracted_seq IS NULL OR retracted_seq > {int(at)})"


async def copy_rows(connection: Connection, where: str, limit: int) -> Rows:
    """At most ``limit`` events for which ``where`` holds, in order of seq; it must hold nothing that a user wrote.

    Raises PageTooLarge, except for a single event.
    """
    chunks: list[bytes] = []
    size = 0

    async def keep(chunk: bytes) -> None:
        # Never raise in here: the connection would wait for a cancellation that was never sent.
        nonlocal size
        size += len(chunk)
        if size <= MAX_PAGE_BYTES or limit == 1:
            chunks.append(chunk)

    query = f"SELECT {COLUMNS_SQL} FROM events WHERE {where} ORDER BY seq LIMIT {int(limit)}"
    await connection.copy_from_query(query, output=keep, format="text")
    if size > MAX_PAGE_BYTES and limit > 1:
        raise PageTooLarge(f"{limit} events are more than {MAX_PAGE_BYTES} bytes")
    text = b"".join(chunks)
    count = text.count(b"\n")
    last = int(text[text.rfind(b"\n", 0, -1) + 1 :].split(b"\t", 1)[0]) if count else 0
    return Rows(count, last, text)


async def versions(connection: Connection, after: int, upto: int) -> tuple[Version, ...]:
    """Versions of triggers with from_seq in (after, upto], in order."""
    return tuple(Version(*row) for row in await connection.fetch(VERSIONS_SQL, after, upto))


async def retractions(connection: Connection, after: int, upto: int) -> tuple[Retraction, ...]:
    """Retractions with seq in (after, upto], in order."""
    return tuple(Retraction(*row) for row in await connection.fetch(RETRACTIONS_SQL, after, upto))


async def clocks(connection: Connection) -> tuple[Clock, ...]:
    """The chains' clocks; each holds where its seq has been reached (protocol P12)."""
    return tuple(Clock(*row) for row in await connection.fetch(CLOCKS_SQL))


async def read_page(connection: Connection, *, epoch: int, after: int, heads: Heads, limit: int) -> Page:
    """The log in (after, last], whole; last is the head unless ``limit`` events end the page earlier.

    Asks for no kind of row of which there is none after ``after``: at the head of the log every query is latency.
    """
    rows = await read_rows(connection, after, heads.seq, limit) if heads.events > after else Rows(0, 0, b"")
    last = rows.last_seq if rows.count == limit else heads.seq
    return Page(
        epoch,
        after,
        last,
        rows.count,
        rows.text,
        versions=await versions(connection, after, last) if heads.versions > after else (),
        retractions=await retractions(connection, after, last) if heads.retractions > after else (),
    )
