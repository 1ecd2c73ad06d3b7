"""What events look like, and what a list of them can be narrowed by."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BeforeValidator, Field, WithJsonSchema

from agentauri.models.event import Registry
from agentauri.models.trigger import MAX_CHAIN_ID
from agentauri.serve.schemas import EXAMPLE_TIME, CursorPagination, Schema, Text, given_out

MAX_TEXT = 255
MAX_AGENT_ID = 2**256 - 1
SEQ = r"^[0-9]{1,18}$"
HASH = r"^0[xX][0-9a-fA-F]{64}$"
ADDRESS = r"^0[xX][0-9a-fA-F]{40}$"
EXAMPLE_EVENT = {
    "id": "2f6d1a53-2a44-5c55-8f0c-7d52c1f5b0a4",
    "seq": 1204,
    "chain_id": 84532,
    "registry": "reputation",
    "event_type": "NewFeedback",
    "agent_id": 42,
    "contract": "0x8004B663056A597Dffe9eCcC1965A193B7388713",
    "block_number": 31000000,
    "block_hash": "0x" + "ab" * 32,
    "block_timestamp": EXAMPLE_TIME,
    "transaction_hash": "0x" + "cd" * 32,
    "log_index": 3,
    "data": {"client_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "value": "55", "score": 55},
    "retracted_at": None,
    "created_at": EXAMPLE_TIME,
}


class Event(Schema):
    """A log of a registry, decoded. An agent id beyond 2^63-1 stands in ``data.agent_id`` as text."""

    id: UUID
    seq: int = Field(description="The place in the log, which is commit order.")
    chain_id: int
    registry: Registry
    event_type: str
    agent_id: int | str | None
    contract: str
    block_number: int
    block_hash: str
    block_timestamp: datetime
    transaction_hash: str
    log_index: int
    data: Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": True})]
    retracted_at: datetime | None = Field(description="When a reorganisation took the event back.")
    created_at: datetime


class EventAnswer(Schema):
    """One event."""

    data: Event


class EventList(Schema):
    """A page of events, the newest first."""

    data: list[Event]
    pagination: CursorPagination


def _agent_id(raw: object) -> object:
    return int(raw) if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 78 else raw


ChainId = Annotated[int | None, Query(ge=1, le=MAX_CHAIN_ID, description="Of this chain alone.")]
RegistryFilter = Annotated[Registry | None, Query(description="Of this registry alone.")]
EventType = Annotated[
    Text | None, Query(min_length=1, max_length=MAX_TEXT, description="Of this type.", examples=["NewFeedback"])
]
AgentId = Annotated[
    Annotated[int, Field(ge=0, le=MAX_AGENT_ID), BeforeValidator(_agent_id)] | None,
    Query(description="Of this agent, up to 2^256-1."),
]
Address = Annotated[
    str | None, Query(pattern=ADDRESS, description="Where this address takes part, as client, owner, validator, …")
]
Tag = Annotated[Text | None, Query(min_length=1, max_length=MAX_TEXT, description="With this tag1, tag2 or tag.")]
Transaction = Annotated[str | None, Query(pattern=HASH, description="Of this transaction.")]
Search = Annotated[
    Text | None,
    Query(min_length=1, max_length=MAX_TEXT, description="Whose type, transaction or data contain this text."),
]
Seq = Annotated[
    Annotated[str, Field(json_schema_extra={"pattern": SEQ}), given_out(SEQ, "start again without it")] | None,
    Query(alias="cursor", description="`next_cursor` of the page before."),
]
