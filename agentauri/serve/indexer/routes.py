"""The indexer: where each chain stands, and how many events of each kind there are. The same for every organization."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.models.trigger import MAX_CHAIN_ID
from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.context import In
from agentauri.serve.indexer.schemas import EventCountsAnswer, IndexerStatusAnswer
from agentauri.serve.principal import require
from agentauri.serve.routing import Route
from agentauri.store import chain_reads, event_counts

router = APIRouter(prefix=f"{API}/indexer", tags=["indexer"], route_class=Route)
Reader = Annotated[Principal, require(Scope.EVENTS_READ)]
ChainId = Annotated[int | None, Query(ge=1, le=MAX_CHAIN_ID, description="Of this chain alone.")]


@router.get("/status", operation_id="get_indexer_status", response_model=IndexerStatusAnswer)
async def get_indexer_status(context: In, principal: Reader, chain_id: ChainId = None) -> Response:
    """Where each chain stands, as its indexer reported a few seconds ago at most while it lives."""
    async with context.pool.acquire() as connection:
        found = await chain_reads.list_progress(connection, chain_id)
    return one({"chains": [asdict(chain) for chain in found]})


@router.get("/events", operation_id="get_event_counts", response_model=EventCountsAnswer)
async def get_event_counts(context: In, principal: Reader, chain_id: ChainId = None) -> Response:
    """How many events of each chain, registry and type there are.

    Exact up to `seq`, a place in the log that follows its head within about a minute: the counts are added to in the
    background, so this answer costs the same however long the log is. They are of everything that was ever stored.
    """
    async with context.pool.acquire() as connection:
        return one(asdict(await event_counts.get_counts(connection, chain_id)))
