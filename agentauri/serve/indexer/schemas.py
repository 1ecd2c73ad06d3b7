"""What the state of chains and the counts of events look like."""

from datetime import datetime

from pydantic import Field

from agentauri.models.event import Registry
from agentauri.serve.schemas import Schema
from agentauri.store.chain_reads import ChainState


class ChainProgress(Schema):
    """Where a chain stands."""

    chain_id: int = Field(examples=[84532])
    name: str = Field(examples=["base-sepolia"])
    state: ChainState = Field(description="silent: its indexer has not reported for half a minute.")
    head_block: int | None = Field(description="Null until a provider has answered.")
    head_time: datetime | None
    indexed_block: int = Field(description="Everything up to it is stored; one below the first block at the start.")
    indexed_time: datetime | None
    final_block: int
    lag_blocks: int | None
    lag_seconds: float | None = Field(description="Between the times of the two blocks, by the chain's own clock.")
    last_event_at: datetime | None = Field(description="Block time of the newest event.")
    provider: str = Field(description="The provider in use, without its path or keys.")
    errors: int = Field(description="Errors since the chain was first watched.")
    reorgs: int
    reported_at: datetime


class IndexerStatus(Schema):
    """Every chain that was ever watched, by id."""

    chains: list[ChainProgress]


class IndexerStatusAnswer(Schema):
    """Where the chains stand."""

    data: IndexerStatus


class EventCount(Schema):
    """Events of one kind."""

    chain_id: int
    registry: Registry
    event_type: str
    stored: int = Field(description="All, those that a reorganisation took back included.")
    retracted: int = Field(description="Those that a reorganisation took back.")


class EventCounts(Schema):
    """The counts, and the place in the log up to which they hold."""

    seq: int
    counted_at: datetime
    kinds: list[EventCount] = Field(description="By chain and registry, the most frequent first; at most 1000.")


class EventCountsAnswer(Schema):
    """How many events there are."""

    data: EventCounts
