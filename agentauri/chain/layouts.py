"""The table of what the registries emit: topic0 → layouts, written as Solidity writes events.

Argument names are those of ``data`` in a stored event; ``agent_id`` goes to its own column, and a name that begins
with ``_`` is not kept (the hash of a text that follows whole). Several layouts may share a topic0, for it does not
say which arguments are indexed; they are told apart by their number of topics. Adding an event is adding a line.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from eth_hash.auto import keccak

from agentauri.chain import abi

EVENTS = (
    # identity
    "Registered(uint256 indexed agent_id, string agent_uri, address indexed owner)",
    "MetadataSet(uint256 indexed agent_id, string indexed _key, string metadata_key, bytes metadata_value)",
    "URIUpdated(uint256 indexed agent_id, string agent_uri, address indexed updated_by)",
    "Transfer(address indexed from_address, address indexed to_address, uint256 indexed agent_id)",
    "Approval(address indexed owner, address indexed approved_address, uint256 indexed agent_id)",
    "ApprovalForAll(address indexed owner, address indexed operator, bool approved)",
    "MetadataUpdate(uint256 agent_id)",
    "BatchMetadataUpdate(uint256 from_token_id, uint256 to_token_id)",
    # reputation
    (
        "NewFeedback(uint256 indexed agent_id, address indexed client_address, uint64 feedback_index, int128 value,"
        " uint8 value_decimals, string indexed _tag1, string tag1, string tag2, string endpoint, string feedback_uri,"
        " bytes32 feedback_hash)"
    ),
    "FeedbackRevoked(uint256 indexed agent_id, address indexed client_address, uint64 indexed feedback_index)",
    (
        "ResponseAppended(uint256 indexed agent_id, address indexed client_address, uint64 feedback_index,"
        " address indexed responder, string response_uri, bytes32 response_hash)"
    ),
    # reputation, as earlier implementations behind the same proxies emitted it: a whole score, tag1 as its hash alone
    (
        "NewFeedback(uint256 indexed agent_id, address indexed client_address, uint64 feedback_index, uint8 value,"
        " string indexed tag1_hash, string tag2, string endpoint, string feedback_uri, bytes32 feedback_hash)"
    ),
    (
        "NewFeedback(uint256 indexed agent_id, address indexed client_address, uint8 value, text32 indexed tag1,"
        " text32 tag2, string feedback_uri, bytes32 feedback_hash)"
    ),
    # validation
    (
        "ValidationRequest(address indexed validator_address, uint256 indexed agent_id, string request_uri,"
        " bytes32 indexed request_hash)"
    ),
    (
        "ValidationResponse(address indexed validator_address, uint256 indexed agent_id, bytes32 indexed request_hash,"
        " uint8 response, string response_uri, bytes32 response_hash, string tag)"
    ),
    # any
    "OwnershipTransferred(address indexed previous_owner, address indexed new_owner)",
    "Upgraded(address indexed implementation)",
    "Initialized(uint64 version)",
)

TYPES: Mapping[str, tuple[str, abi.Reader]] = {
    "uint256": ("uint256", abi.unsigned(256)),
    "uint64": ("uint64", abi.unsigned(64)),
    "uint8": ("uint8", abi.unsigned(8)),
    "int128": ("int128", abi.signed(128)),
    "bool": ("bool", abi.boolean),
    "address": ("address", abi.address),
    "bytes32": ("bytes32", abi.hash32),
    "text32": ("bytes32", abi.word_text),
    "string": ("string", abi.tail),
    "bytes": ("bytes", abi.tail),
}
"""Name in the table → Solidity's name, reader. ``text32`` is a bytes32 that holds a short text."""

HASHED = {"string", "bytes"}
"""Types of which an indexed argument leaves only its hash."""

EVENT = re.compile(r"(\w+)\((.*)\)")
ARGUMENT = re.compile(r"(\w+) (indexed )?(\w+)")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument that is kept: its name in ``data``, its type in the table, and how it is read at which byte."""

    name: str
    kind: str
    read: abi.Reader
    at: int


@dataclass(frozen=True, slots=True)
class Layout:
    """One event: ``topics`` counts topic0 too; ``heads`` is the length in bytes of the data's head words."""

    event_type: str
    signature: str
    topics: int
    heads: int
    indexed: tuple[Argument, ...]
    """``at`` is the argument's byte in all topics joined."""
    plain: tuple[Argument, ...]

    @property
    def topic0(self) -> str:
        """Keccak-256 of the signature, as 0x hex."""
        return "0x" + keccak(self.signature.encode()).hex()


def parse(event: str) -> Layout:
    """The layout that a line of ``EVENTS`` describes."""
    name, inner = _match(EVENT, event)
    arguments = [_match(ARGUMENT, part.strip()) for part in inner.split(",")]
    signature = f"{name}({','.join(TYPES[kind][0] for kind, _, _ in arguments)})"
    indexed, plain, topics, heads = [], [], 1, 0
    for kind, is_indexed, argument in arguments:
        kept = not argument.startswith("_")
        if is_indexed:
            left = "bytes32" if kind in HASHED else kind
            indexed += [Argument(argument, left, TYPES[left][1], topics * abi.WORD)] * kept
            topics += 1
        else:
            plain += [Argument(argument, kind, TYPES[kind][1], heads)] * kept
            heads += abi.WORD
    return Layout(name, signature, topics, heads, tuple(indexed), tuple(plain))


def _match(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no event or argument")
    return found.groups()


def _table() -> Mapping[str, tuple[Layout, ...]]:
    table: defaultdict[str, tuple[Layout, ...]] = defaultdict(tuple)
    for layout in map(parse, EVENTS):
        table[layout.topic0] += (layout,)
    return dict(table)


LAYOUTS = _table()
"""topic0 as 0x hex in small letters → the layouts that it may have."""
