"""Where each chain stands, for people: head, checkpoint and what its indexer reported (chains.py writes it).

What went wrong is told as a number: the words may name what is ours, and are for operators (``agentauri status``).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agentauri.store.chains import LIVE_LAG_BLOCKS, LIVE_SECONDS
from agentauri.store.database import Connection


class ChainState(StrEnum):
    """What a chain's indexer is doing."""

    STARTING = "starting"
    BEHIND = "behind"
    LIVE = "live"
    SILENT = "silent"


PROGRESS_SQL = """
    SELECT chain_id, name,
        CASE WHEN updated_at < now() - make_interval(secs => $2) THEN 'silent' WHEN head_block IS NULL THEN 'starting'
            WHEN head_block - block_number < $3 THEN 'live' ELSE 'behind' END AS state,
        head_block, head_time, block_number, confirmed_time, final_block,
        CASE WHEN head_block IS NOT NULL THEN greatest(head_block - block_number, 0) END,
        CASE WHEN head_time >= confirmed_time THEN extract(epoch FROM head_time - confirmed_time)::float8
            WHEN head_time < confirmed_time THEN 0 END,
        last_event_at, provider, errors, reorgs, updated_at
    FROM chains WHERE $1::bigint IS NULL OR chain_id = $1 ORDER BY chain_id"""


@dataclass(frozen=True, slots=True)
class ChainProgress:
    """One chain. ``head_block`` and what follows from it are None until a provider has answered."""

    chain_id: int
    name: str
    state: ChainState
    head_block: int | None
    head_time: datetime | None
    indexed_block: int
    indexed_time: datetime | None
    final_block: int
    lag_blocks: int | None
    lag_seconds: float | None
    last_event_at: datetime | None
    provider: str
    errors: int
    reorgs: int
    reported_at: datetime


async def list_progress(connection: Connection, chain_id: int | None = None) -> list[ChainProgress]:
    """Every chain that was ever watched, or one."""
    rows = await connection.fetch(PROGRESS_SQL, chain_id, LIVE_SECONDS, LIVE_LAG_BLOCKS)
    return [ChainProgress(*row) for row in rows]
