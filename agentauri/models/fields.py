"""The fields of an event that conditions, groups and templates may name: their kinds and aliases.

One table for all of them, so that what a condition may compare is decided when it is written. It says nothing about
how a field is read (engine/read.py) or rendered (channels/), and an event may lack any field that is not its own.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a field holds, and thereby how it is compared."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    TIME = "time"
    TEXT = "text"
    URI = "uri"
    ADDRESS = "address"
    HASH = "hash"
    HEX = "hex"
    BOOLEAN = "boolean"
    HASHES = "hashes"


NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL})
"""Kinds that can be averaged."""

ORDERED = NUMERIC | {Kind.TIME}
"""Kinds that have less and greater."""

CASELESS = frozenset({Kind.ADDRESS, Kind.HASH, Kind.HEX, Kind.HASHES})
"""Kinds that compare without case, whatever a condition says."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, its kind, and whether it is a column of the log or a member of ``data``."""

    name: str
    kind: Kind
    column: bool = False


COLUMNS = {
    "id": Kind.TEXT, "seq": Kind.INTEGER, "chain_id": Kind.INTEGER, "registry": Kind.TEXT, "event_type": Kind.TEXT,
    "agent_id": Kind.INTEGER, "contract": Kind.ADDRESS, "block_number": Kind.INTEGER, "block_hash": Kind.HASH,
    "block_timestamp": Kind.TIME, "transaction_hash": Kind.HASH, "log_index": Kind.INTEGER,
}  # fmt: skip

DATA = {
    "owner": Kind.ADDRESS, "agent_uri": Kind.URI, "updated_by": Kind.ADDRESS, "metadata_key": Kind.TEXT,
    "metadata_value": Kind.HEX, "metadata_text": Kind.TEXT, "from_address": Kind.ADDRESS, "to_address": Kind.ADDRESS,
    "approved_address": Kind.ADDRESS, "operator": Kind.ADDRESS, "approved": Kind.BOOLEAN,
    "client_address": Kind.ADDRESS, "feedback_index": Kind.INTEGER, "value": Kind.INTEGER,
    "value_decimals": Kind.INTEGER, "score": Kind.DECIMAL, "tag1": Kind.TEXT, "tag1_hash": Kind.HASH,
    "tag2": Kind.TEXT, "endpoint": Kind.TEXT, "feedback_uri": Kind.URI, "feedback_hash": Kind.HASH,
    "responder": Kind.ADDRESS, "response_uri": Kind.URI, "response_hash": Kind.HASH,
    "validator_address": Kind.ADDRESS, "request_uri": Kind.URI, "request_hash": Kind.HASH,
    "response": Kind.INTEGER, "tag": Kind.TEXT, "previous_owner": Kind.ADDRESS, "new_owner": Kind.ADDRESS,
    "implementation": Kind.ADDRESS, "version": Kind.INTEGER, "from_token_id": Kind.INTEGER,
    "to_token_id": Kind.INTEGER, "topics": Kind.HASHES, "raw_data": Kind.HEX,
}  # fmt: skip

WHOLE = {f"{name}_hex": Kind.HEX for name, kind in DATA.items() if kind in (Kind.TEXT, Kind.URI)}
"""Where text that PostgreSQL cannot hold stands whole (protocol P4)."""

FIELDS = {name: Field(name, kind, column=True) for name, kind in COLUMNS.items()} | {
    name: Field(name, kind) for name, kind in (DATA | WHOLE).items()
}

ALIASES = {
    "file_uri": "feedback_uri",
    "file_hash": "feedback_hash",
    "token_uri": "agent_uri",
    "timestamp": "block_timestamp",
}

EVENT_TYPES = (
    "Registered", "MetadataSet", "URIUpdated", "Transfer", "Approval", "ApprovalForAll", "MetadataUpdate",
    "BatchMetadataUpdate", "NewFeedback", "FeedbackRevoked", "ResponseAppended", "ValidationRequest",
    "ValidationResponse", "OwnershipTransferred", "Upgraded", "Initialized", "Unknown",
)  # fmt: skip

EVENT_TYPE_ALIASES = {"AgentRegistered": "Registered"}

TAGS = ("tag1", "tag2", "tag")

GROUP_FIELDS = ("agent_id", "client_address", "chain_id", *TAGS)
"""What state may be kept by."""


def find_field(name: str) -> Field | None:
    """The field of that name or alias, None where events have no such field."""
    return FIELDS.get(ALIASES.get(name, name))


def get_field(name: str) -> Field:
    """The field of a name that was checked when it was written. Raises KeyError."""
    return FIELDS[ALIASES.get(name, name)]
