"""Reading the log: pages of events as PostgreSQL's own COPY text, with the versions and retractions among them.

A reader that has seen seq n has seen everything below n, because seq order is commit order (protocol P1); so a page
is a range of seqs and a cursor is one integer. Pages are bounded in rows and bytes. Nothing here writes.
"""

from dataclasses import dataclass, replace

from agentauri.errors import StoreError
from agentauri.models.page import Clock, Page, Retraction, Version
from agentauri.store.database import Connection

MAX_PAGE_BYTES = 64 * 2**20
"""A page beyond this is read again with fewer rows; a single row cannot reach it (1 MiB answers per log)."""

COLUMNS_SQL = """
    seq, id, chain_id, registry, event_type, agent_id, contract, block_number, block_hash,
    extract(epoch FROM block_timestamp)::bigint, transaction_hash, log_index, data"""

HEAD_SQL = """
    SELECT greatest(
        (SELECT max(seq) FROM events),
        (SELECT max(seq) FROM retractions),
        (SELECT max(from_seq) FROM trigger_versions),
        0)"""

VERSIONS_SQL = """
    SELECT trigger_id, from_seq, partition, definition FROM trigger_versions
    WHERE from_seq > $1 AND from_seq <= $2 ORDER BY from_seq"""

RETRACTIONS_SQL = """
    SELECT seq, chain_id, fork_block, first_retracted_seq FROM retractions
    WHERE seq > $1 AND seq <= $2 ORDER BY seq"""

CLOCKS_SQL = """
    SELECT chain_id, extract(epoch FROM confirmed_time)::bigint AS time, confirmed_seq AS seq
    FROM chains WHERE confirmed_time IS NOT NULL AND confirmed_seq <= $1 ORDER BY chain_id"""


class PageTooLarge(StoreError):
    """The rows asked for are more than MAX_PAGE_BYTES together."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of a page as COPY text; ``last_seq`` is that of the last one, 0 if there is none."""

    count: int
    last_seq: int
    text: bytes


async def head(connection: Connection) -> int:
    """The greatest seq that is committed; 0 in an empty log."""
    found: int = await connection.fetchval(HEAD_SQL)
    return found


async def read_rows(
    connection: Connection, after: int, upto: int, limit: int, *, kept_at: int | None = None
) -> Rows:
    """At most ``limit`` events in (after, upto].

    ``kept_at``: leave out what a retraction at or below that seq took out of its chain (for replays, protocol P18).
    Raises PageTooLarge.
    """
    chunks: list[bytes] = []
    size = 0

    async def keep(chunk: bytes) -> None:
        nonlocal size
        size += len(chunk)
        if size > MAX_PAGE_BYTES:
            raise PageTooLarge(f"{limit} events after {after} are more than {MAX_PAGE_BYTES} bytes")
        chunks.append(chunk)

    kept = "" if kept_at is None else f"AND (retracted_seq IS NULL OR retracted_seq > {int(kept_at)})"
    # COPY takes no parameters; int() keeps this free of anything but numbers.
    query = (
        f"SELECT {COLUMNS_SQL} FROM events WHERE seq > {int(after)} AND seq <= {int(upto)} {kept} "
        f"ORDER BY seq LIMIT {int(limit)}"
    )
    await connection.copy_from_query(query, output=keep, format="text")
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


async def clocks(connection: Connection, upto: int) -> tuple[Clock, ...]:
    """Clocks of the chains whose last confirmed event is at or below ``upto`` (protocol P12)."""
    return tuple(Clock(*row) for row in await connection.fetch(CLOCKS_SQL, upto))


async def read_page(connection: Connection, *, epoch: int, after: int, upto: int, limit: int) -> Page:
    """The log in (after, last], whole; last = ``upto`` unless ``limit`` events end the page earlier."""
    rows = await read_rows(connection, after, upto, limit)
    last = rows.last_seq if rows.count == limit else upto
    page = Page(epoch, after, last, rows.count, rows.text)
    return replace(
        page,
        versions=await versions(connection, after, last),
        retractions=await retractions(connection, after, last),
        clocks=await clocks(connection, last),
    )
