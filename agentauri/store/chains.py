"""Where each chain stands: its one writer, its checkpoint, its clock, and the blocks in which a fork is looked for.

A writer claims the chain and gets a token; every write that moves the checkpoint first holds the row and compares
block, hash and token, so of two writers one is Fenced, whatever either of them believes (protocol P8). The functions
are steps of the caller's transaction. A checkpoint at block −1 or ``start_block`` − 1 has no hash: nothing came yet.
"""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from agentauri.errors import Fenced, RangeNotWhole
from agentauri.models.log import BlockRef
from agentauri.store.database import Connection

KEPT_BLOCKS = 2_048
"""Blocks below the checkpoint whose hashes are kept; further down, events know the hashes of their blocks."""
LIVE_SECONDS = 30
LIVE_LAG_BLOCKS = 100
"""A chain is live when its indexer reported lately and is near the head."""
MAX_ERROR_CHARACTERS = 1_000

CLAIM_SQL = """
    INSERT INTO chains (chain_id, name, owner_token, block_number) VALUES ($1, $2, 1, $3)
    ON CONFLICT (chain_id) DO UPDATE
        SET owner_token = chains.owner_token + 1, name = EXCLUDED.name, updated_at = now()
    RETURNING owner_token, reorgs"""

CHECKPOINT_SQL = """
    SELECT block_number, block_hash, coalesce(extract(epoch FROM confirmed_time)::bigint, 0)
    FROM chains WHERE chain_id = $1 AND owner_token = $2"""

ADVANCE_SQL = """
    UPDATE chains SET block_number = $2, block_hash = $3, confirmed_time = to_timestamp($4),
        confirmed_seq = greatest(confirmed_seq, $5), final_block = greatest(final_block, $6),
        last_event_at = coalesce(to_timestamp($7), last_event_at), updated_at = now()
    WHERE chain_id = $1"""

REWIND_SQL = """
    UPDATE chains SET block_number = $2, block_hash = $3, confirmed_time = to_timestamp($4),
        confirmed_seq = greatest(confirmed_seq, $5), final_block = least(final_block, $2), reorgs = reorgs + 1,
        updated_at = now()
    WHERE chain_id = $1"""

REMEMBER_SQL = """
    INSERT INTO chain_blocks (chain_id, block_number, block_hash, block_time)
    SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[])
    ON CONFLICT DO NOTHING"""

CONTRADICTION_SQL = """
    SELECT block_number FROM chain_blocks JOIN unnest($2::bigint[], $3::text[]) AS new (number, hash)
        ON block_number = number AND block_hash <> hash
    WHERE chain_id = $1 LIMIT 1"""

BLOCKS_SQL = """
    SELECT block_number, block_hash, block_time FROM chain_blocks
    WHERE chain_id = $1 AND block_number <= $2 ORDER BY block_number DESC LIMIT $3"""

EVENT_BLOCKS_SQL = """
    SELECT block_number, min(block_hash), extract(epoch FROM min(block_timestamp))::bigint FROM events
    WHERE chain_id = $1 AND block_number <= $2 AND retracted_at IS NULL
    GROUP BY block_number ORDER BY block_number DESC LIMIT $3"""

REPORT_SQL = """
    UPDATE chains SET head_block = coalesce($3, head_block),
        head_time = coalesce(to_timestamp($4), head_time), provider = $5,
        errors = errors + $6, last_error = CASE WHEN $6 > 0 THEN $7 ELSE last_error END, updated_at = now()
    WHERE chain_id = $1 AND owner_token = $2"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write a chain, until somebody else claims it."""

    chain_id: int
    token: int
    reorgs: int = 0
    """Reorganisations seen before this claim."""


async def claim(connection: Connection, chain_id: int, name: str, start_block: int) -> Claim:
    """Become the chain's writer; whoever was it is fenced from now on. A new chain begins before ``start_block``."""
    row = await connection.fetchrow(CLAIM_SQL, chain_id, name, start_block - 1)
    assert row is not None
    return Claim(chain_id, *row)


async def get_checkpoint(connection: Connection, claim: Claim) -> BlockRef:
    """The block up to which everything is stored. Raises Fenced."""
    row = await connection.fetchrow(CHECKPOINT_SQL, claim.chain_id, claim.token)
    if row is None:
        raise Fenced(f"chain {claim.chain_id} was claimed by another writer")
    return BlockRef(*row)


async def hold(connection: Connection, claim: Claim, checkpoint: BlockRef) -> None:
    """Lock the chain's row for this transaction if it is ours and stands at ``checkpoint``. Raises Fenced."""
    row = await connection.fetchrow(f"{CHECKPOINT_SQL} FOR UPDATE", claim.chain_id, claim.token)
    if row is None:
        raise Fenced(f"chain {claim.chain_id} was claimed by another writer")
    if (row[0], row[1]) != (checkpoint.number, checkpoint.hash):
        raise Fenced(f"chain {claim.chain_id} stands at block {row[0]}, not at {checkpoint.number}")


async def remember(connection: Connection, claim: Claim, blocks: Sequence[BlockRef]) -> None:
    """Keep blocks' hashes. Raises RangeNotWhole when one of them is remembered with another hash (protocol P9)."""
    numbers, hashes = [block.number for block in blocks], [block.hash for block in blocks]
    await connection.execute(REMEMBER_SQL, claim.chain_id, numbers, hashes, [block.time for block in blocks])
    other = await connection.fetchval(CONTRADICTION_SQL, claim.chain_id, numbers, hashes)
    if other is not None:
        raise RangeNotWhole(f"block {other} of chain {claim.chain_id} was stored with another hash")


async def advance(
    connection: Connection,
    claim: Claim,
    to: BlockRef,
    *,
    last_seq: int,
    final_block: int,
    last_event_time: int | None,
) -> None:
    """Move the checkpoint of a row that is held, and the chain's clock with it (protocol P12). Times in seconds."""
    await connection.execute(
        ADVANCE_SQL, claim.chain_id, to.number, to.hash, to.time, last_seq, min(final_block, to.number), last_event_time
    )


async def rewind(connection: Connection, claim: Claim, to: BlockRef, *, retraction_seq: int) -> None:
    """Move the checkpoint of a row that is held back to the common block of two forks (protocol P6)."""
    await connection.execute(
        "DELETE FROM chain_blocks WHERE chain_id = $1 AND block_number > $2", claim.chain_id, to.number
    )
    time = to.time if to.hash else None
    await connection.execute(REWIND_SQL, claim.chain_id, to.number, to.hash, time, retraction_seq)
    if to.hash:
        await remember(connection, claim, [to])


async def prune(connection: Connection, claim: Claim, checkpoint: BlockRef) -> None:
    """Forget blocks far below the checkpoint."""
    below = checkpoint.number - KEPT_BLOCKS
    await connection.execute(
        "DELETE FROM chain_blocks WHERE chain_id = $1 AND block_number < $2", claim.chain_id, below
    )


async def find_newest_block(connection: Connection, chain_id: int, at_most: int | None = None) -> BlockRef | None:
    """The newest remembered block, at or below ``at_most`` if given."""
    most = 2**63 - 1 if at_most is None else at_most
    row = await connection.fetchrow(BLOCKS_SQL, chain_id, most, 1)
    return None if row is None else BlockRef(*row)


async def list_blocks(connection: Connection, chain_id: int, at_most: int, size: int) -> AsyncIterator[list[BlockRef]]:
    """Pages of remembered blocks, newest first; below them, of blocks that have events."""
    for sql in (BLOCKS_SQL, EVENT_BLOCKS_SQL):
        while rows := await connection.fetch(sql, chain_id, at_most, size):
            yield [BlockRef(*row) for row in rows]
            at_most = rows[-1][0] - 1


async def report(
    connection: Connection,
    claim: Claim,
    *,
    head: BlockRef | None,
    provider: str,
    new_errors: int = 0,
    last_error: str = "",
) -> None:
    """Say where the chain's head is and what went wrong; also the sign of life that keeps others from claiming.

    Raises Fenced.
    """
    number, time = (None, None) if head is None else (head.number, head.time)
    done = await connection.execute(
        REPORT_SQL, claim.chain_id, claim.token, number, time, provider, new_errors, last_error[:MAX_ERROR_CHARACTERS]
    )
    if done == "UPDATE 0":
        raise Fenced(f"chain {claim.chain_id} was claimed by another writer")


async def silent_seconds(connection: Connection, chain_id: int) -> float:
    """How long the chain's writer has given no sign of life, by the database's clock; for ever if nobody ever wrote."""
    found = await connection.fetchval(
        "SELECT extract(epoch FROM now() - updated_at)::float8 FROM chains WHERE chain_id = $1", chain_id
    )
    return math.inf if found is None else float(found)


async def others_live(connection: Connection, chain_id: int) -> bool:
    """Whether another chain's live events would wait behind this one's back-fill (protocol P2)."""
    found: bool = await connection.fetchval(
        """SELECT EXISTS (SELECT FROM chains WHERE chain_id <> $1 AND head_block - block_number < $2
               AND updated_at > now() - make_interval(secs => $3))""",
        chain_id,
        LIVE_LAG_BLOCKS,
        LIVE_SECONDS,
    )
    return found
