"""An event of every type to try things out on, complete and always the same: previews, test messages, documentation.

They never happened, and say so in nothing but their ids; every field that an event of their type can have is there.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid5

import orjson

from agentauri.models.event import UNKNOWN, Event, Registry
from agentauri.models.fields import EVENT_TYPES
from agentauri.models.ids import NAMESPACE, EventId

CHAIN_ID = 84532
AGENT_ID = 42
BLOCK_NUMBER = 31_000_000
BLOCK_TIME = 1_795_420_800
"""2026-11-23T08:00:00Z."""
CONTRACTS: Final[Mapping[Registry, str]] = {
    Registry.IDENTITY: "0x8004A818BFB912233c491871b3d84c89A494BD9e",
    Registry.REPUTATION: "0x8004B663056A597Dffe9eCcC1965A193B7388713",
    Registry.VALIDATION: "0x8004C11111111111111111111111111111111111",
}
OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CLIENT = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
VALIDATOR = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
FILE = "https://agent.example/files/{}.json"
HASH = "0x" + "9a" * 32
NO_AGENT = frozenset(
    {"ApprovalForAll", "BatchMetadataUpdate", "OwnershipTransferred", "Upgraded", "Initialized", UNKNOWN}
)

DATA: Final[Mapping[str, tuple[Registry, Mapping[str, Any]]]] = {
    "Registered": (Registry.IDENTITY, {"owner": OWNER, "agent_uri": FILE.format("agent")}),
    "MetadataSet": (Registry.IDENTITY, {
        "metadata_key": "version", "metadata_value": "0x312e37", "metadata_text": "1.7"}),
    "URIUpdated": (Registry.IDENTITY, {"agent_uri": FILE.format("agent"), "updated_by": OWNER}),
    "Transfer": (Registry.IDENTITY, {"from_address": OWNER, "to_address": CLIENT}),
    "Approval": (Registry.IDENTITY, {"owner": OWNER, "approved_address": CLIENT}),
    "ApprovalForAll": (Registry.IDENTITY, {"owner": OWNER, "operator": CLIENT, "approved": True}),
    "MetadataUpdate": (Registry.IDENTITY, {}),
    "BatchMetadataUpdate": (Registry.IDENTITY, {"from_token_id": 40, "to_token_id": AGENT_ID}),
    "NewFeedback": (Registry.REPUTATION, {
        "client_address": CLIENT, "feedback_index": 3, "value": "595", "value_decimals": 1, "score": "59.5",
        "tag1": "starred", "tag2": "week", "endpoint": "https://agent.example/a2a",
        "feedback_uri": FILE.format("feedback"), "feedback_hash": HASH}),
    "FeedbackRevoked": (Registry.REPUTATION, {"client_address": CLIENT, "feedback_index": 3}),
    "ResponseAppended": (Registry.REPUTATION, {
        "client_address": CLIENT, "feedback_index": 3, "responder": OWNER, "response_uri": FILE.format("response"),
        "response_hash": HASH}),
    "ValidationRequest": (Registry.VALIDATION, {
        "validator_address": VALIDATOR, "request_uri": FILE.format("request"), "request_hash": HASH}),
    "ValidationResponse": (Registry.VALIDATION, {
        "validator_address": VALIDATOR, "request_hash": HASH, "response": 75, "response_uri": FILE.format("validation"),
        "response_hash": HASH, "tag": "tee"}),
    "OwnershipTransferred": (Registry.IDENTITY, {"previous_owner": OWNER, "new_owner": CLIENT}),
    "Upgraded": (Registry.IDENTITY, {"implementation": VALIDATOR}),
    "Initialized": (Registry.IDENTITY, {"version": 2}),
    UNKNOWN: (Registry.REPUTATION, {"topics": [HASH], "raw_data": "0x" + "00" * 31 + "07"}),
}  # fmt: skip

COMPUTED: Final[Mapping[str, Any]] = {"ema": 61.5, "count": 11, "aggregate": 12.5, "previous": 64, "since": BLOCK_TIME}
"""What stateful conditions compute, as any one of them shows it here."""


def sample_event(event_type: str) -> Event:
    """The event of a type that there is. Raises KeyError on another."""
    registry, data = DATA[event_type]
    place = EVENT_TYPES.index(event_type)
    return Event(
        id=EventId(uuid5(NAMESPACE, f"sample {event_type}")),
        seq=1 + place,
        chain_id=CHAIN_ID,
        registry=registry,
        event_type=event_type,
        agent_id=None if event_type in NO_AGENT else AGENT_ID,
        contract=CONTRACTS[registry],
        block_number=BLOCK_NUMBER,
        block_hash="0x" + "ab" * 32,
        block_timestamp=BLOCK_TIME,
        transaction_hash="0x" + "cd" * 32,
        log_index=place,
        data_json=orjson.dumps(data),
    )
