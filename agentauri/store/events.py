"""Writing the log: a part of a range's events, and their retraction when the chain left their blocks.

Both belong into the transaction that moves the chain's checkpoint (chains.py); the caller opens it. Events come last
in it, at most ``MAX_ROWS`` of them, because whoever inserts holds the log's lock until commit (protocol P2). The
database gives the seqs; ids are derived, so writing a log twice writes it once (P5). Reading: log.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from agentauri.errors import StoreError
from agentauri.models.ids import event_id
from agentauri.models.log import DecodedLog
from agentauri.store.database import Connection

MAX_ROWS = 1_000
"""Rows of one transaction: the log's lock is held for about 20 ms."""
MONTH_LOCK_MS = 2_000
"""A new partition waits so long for running queries; longer, and every new query would wait behind it."""
RETRACT_SECONDS = 3_600.0
"""A retraction that was cut short would be as long at its next try, and its chain would never go on."""

RETRACTED_BEFORE_SQL = """
    SELECT block_hash, transaction_hash, log_index, count(*) FROM events
    WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3 AND retracted_at IS NOT NULL
        AND block_timestamp BETWEEN to_timestamp($4) AND to_timestamp($5)
    GROUP BY block_hash, transaction_hash, log_index"""

INSERT_SQL = """
    WITH inserted AS (
        INSERT INTO events (id, chain_id, registry, event_type, agent_id, contract, block_number, block_hash,
                            block_timestamp, transaction_hash, log_index, data)
        SELECT id, $1, registry, event_type, agent_id, contract, block_number, block_hash,
               to_timestamp(block_time), transaction_hash, log_index, data::jsonb
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::text[],
                    $9::bigint[], $10::text[], $11::integer[], $12::text[]) WITH ORDINALITY
            AS new (id, registry, event_type, agent_id, contract, block_number, block_hash,
                    block_time, transaction_hash, log_index, data, place)
        ORDER BY place
        ON CONFLICT DO NOTHING
        RETURNING seq)
    SELECT count(*), coalesce(max(seq), 0) FROM inserted"""

STANDING_SQL = """
    SELECT count(*), min(seq) FROM events WHERE chain_id = $1 AND block_number > $2 AND retracted_at IS NULL"""

RETRACTION_SQL = """
    INSERT INTO retractions (chain_id, fork_block, first_retracted_seq, retracted_count)
    VALUES ($1, $2, $3, $4) RETURNING seq"""

RETRACT_SQL = """
    UPDATE events SET retracted_at = now(), retracted_seq = $3
    WHERE chain_id = $1 AND block_number > $2 AND retracted_at IS NULL"""


@dataclass(frozen=True, slots=True)
class Appended:
    """What an insert did: rows that are new, and the greatest seq among them (0: none)."""

    count: int
    last_seq: int


def months_of(times: Iterable[int]) -> list[datetime]:
    """The first moments of the months that block times (seconds since 1970) fall into, in order."""
    moments = {datetime.fromtimestamp(time, UTC) for time in set(times)}
    return sorted({datetime(moment.year, moment.month, 1, tzinfo=UTC) for moment in moments})


async def ensure_month(connection: Connection, month: datetime) -> None:
    """Make the partition of a month, in a transaction of its own before the month is written to (protocol P10)."""
    await connection.execute(f"SET LOCAL lock_timeout = {MONTH_LOCK_MS}")
    await connection.execute("SELECT events_ensure_month($1)", month)


async def append(connection: Connection, chain_id: int, logs: Sequence[DecodedLog]) -> Appended:
    """Insert logs in their order. Raises StoreError for too many, or one whose block has no time."""
    if not logs:
        return Appended(0, 0)
    if len(logs) > MAX_ROWS:
        raise StoreError(f"{len(logs)} events in one transaction; {MAX_ROWS} are the most")
    times = [_time(log) for log in logs]
    numbers = [log.block_number for log in logs]
    before = await connection.fetch(RETRACTED_BEFORE_SQL, chain_id, min(numbers), max(numbers), min(times), max(times))
    retracted = {(row[0], row[1], row[2]): row[3] for row in before}
    row = await connection.fetchrow(
        INSERT_SQL,
        chain_id,
        [
            event_id(chain_id, *(key := (log.block_hash, log.transaction_hash, log.log_index)), retracted.get(key, 0))
            for log in logs
        ],
        [log.registry for log in logs],
        [log.event_type for log in logs],
        [log.agent_id for log in logs],
        [log.contract for log in logs],
        numbers,
        [log.block_hash for log in logs],
        times,
        [log.transaction_hash for log in logs],
        [log.log_index for log in logs],
        [orjson.dumps(log.data).decode() for log in logs],
    )
    assert row is not None
    return Appended(*row)


def _time(log: DecodedLog) -> int:
    if log.block_timestamp is None:
        raise StoreError(f"log {log.log_index} of block {log.block_number} has no block time")
    return log.block_timestamp


async def retract(connection: Connection, chain_id: int, fork_block: int) -> Appended:
    """Take the chain's events above ``fork_block`` out of it; count, and the seq of the retraction's row (0: none).

    The row is in the log before the events carry its seq, in one transaction with the checkpoint (protocol P6). However
    many events there are, they go at once: the statements of this transaction have no other limit than
    ``RETRACT_SECONDS``.
    """
    await connection.execute("SET LOCAL statement_timeout = 0")
    standing = await connection.fetchrow(STANDING_SQL, chain_id, fork_block, timeout=RETRACT_SECONDS)
    assert standing is not None
    count, first_seq = standing
    if count == 0:
        return Appended(0, 0)
    seq = await connection.fetchval(RETRACTION_SQL, chain_id, fork_block, first_seq, count)
    await connection.execute(RETRACT_SQL, chain_id, fork_block, seq, timeout=RETRACT_SECONDS)
    return Appended(count, seq)
