"""How the service stands, from PostgreSQL alone: chains, the listener's place in the log, deliveries by status.

Read by ``agentauri status``, the health routes and the Supervisor. Answers whatever actors are alive; says nothing
about them.
"""

# all organizations: the operator sees counts of the whole deployment

from dataclasses import dataclass

from agentauri.store import log
from agentauri.store.database import Connection

OPEN = ("pending", "retrying", "delivering", "held")
"""Statuses of rows that still wait for something; few, and found through partial indexes."""


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """Where a chain's indexer is. ``head`` is None until a provider has answered; lag in blocks."""

    id: int
    name: str
    head: int | None
    indexed: int
    lag_blocks: int | None
    provider: str
    errors: int
    last_error: str
    reorgs: int


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """The leader's epoch, the seq that every partition has reached, and how many seqs the log is ahead of it."""

    epoch: int
    cursor: int
    lag: int


async def is_migrated(connection: Connection) -> bool:
    """Whether the schema is there at all."""
    return bool(await connection.fetchval("SELECT to_regclass('deliveries') IS NOT NULL"))


async def list_chains(connection: Connection) -> list[ChainStatus]:
    """Every chain that was ever watched, by id."""
    rows = await connection.fetch(
        """SELECT chain_id, name, head_block, block_number,
                  CASE WHEN head_block IS NOT NULL THEN greatest(head_block - block_number, 0) END,
                  provider, errors, last_error, reorgs
           FROM chains ORDER BY chain_id"""
    )
    return [ChainStatus(*row) for row in rows]


async def get_listener(connection: Connection) -> ListenerStatus:
    """Epoch, cursor and lag; a cursor below the log's head is normal for as long as a batch takes."""
    row = await connection.fetchrow("SELECT epoch, (SELECT min(last_seq) FROM partitions) AS cursor FROM listener")
    if row is None:
        return ListenerStatus(0, 0, 0)
    head = await log.head(connection)
    return ListenerStatus(row["epoch"], row["cursor"], max(0, head - row["cursor"]))


async def delivery_counts(connection: Connection) -> dict[str, int]:
    """How many deliveries have each status that occurs. Reads the whole table: for people, not for a loop."""
    rows = await connection.fetch("SELECT status, count(*) FROM deliveries GROUP BY status ORDER BY status")
    return dict(map(tuple, rows))


async def open_delivery_counts(connection: Connection) -> dict[str, int]:
    """How many deliveries are in each open status (0 where none); cheap however many are finished."""
    rows = await connection.fetch(
        """SELECT status, count(*) FROM deliveries
           WHERE status IN ('pending', 'retrying', 'delivering', 'held') GROUP BY status"""
    )
    return dict.fromkeys(OPEN, 0) | dict(map(tuple, rows))


async def count_due(connection: Connection, most: int) -> int:
    """How many deliveries could be sent now, counted up to ``most``."""
    found: int = await connection.fetchval(
        """SELECT count(*) FROM (
               SELECT FROM deliveries WHERE status IN ('pending', 'retrying') AND next_attempt_at <= now() LIMIT $1
           ) AS due""",
        most,
    )
    return found
