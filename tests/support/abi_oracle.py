"""What an event should decode to, worked out with eth-abi from the standard's own signatures: nothing of ours.

``EXPECTED`` is the table of the standard, argument by argument: (type, name in ``data``, indexed); a name of None is
not kept. Values come out as they are stored, so that tests compare whole events.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address

ANY_SIZE = Context(prec=400)

Argument = tuple[str, str | None, bool]
EXPECTED: dict[str, tuple[str, tuple[Argument, ...]]] = {
    "0xca52e62c367d81bb2e328eb795f7c7ba24afb478408a26c0e201d155c449bc4a": (
        "Registered",
        (("uint256", "agent_id", True), ("string", "agent_uri", False), ("address", "owner", True)),
    ),
    "0x2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b": (
        "MetadataSet",
        (
            ("uint256", "agent_id", True),
            ("string", None, True),
            ("string", "metadata_key", False),
            ("bytes", "metadata_value", False),
        ),
    ),
    "0x3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb": (
        "URIUpdated",
        (("uint256", "agent_id", True), ("string", "agent_uri", False), ("address", "updated_by", True)),
    ),
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef": (
        "Transfer",
        (("address", "from_address", True), ("address", "to_address", True), ("uint256", "agent_id", True)),
    ),
    "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925": (
        "Approval",
        (("address", "owner", True), ("address", "approved_address", True), ("uint256", "agent_id", True)),
    ),
    "0x17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31": (
        "ApprovalForAll",
        (("address", "owner", True), ("address", "operator", True), ("bool", "approved", False)),
    ),
    "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7": (
        "MetadataUpdate",
        (("uint256", "agent_id", False),),
    ),
    "0x6bd5c950a8d8df17f772f5af37cb3655737899cbf903264b9795592da439661c": (
        "BatchMetadataUpdate",
        (("uint256", "from_token_id", False), ("uint256", "to_token_id", False)),
    ),
    "0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc": (
        "NewFeedback",
        (
            ("uint256", "agent_id", True),
            ("address", "client_address", True),
            ("uint64", "feedback_index", False),
            ("int128", "value", False),
            ("uint8", "value_decimals", False),
            ("string", None, True),
            ("string", "tag1", False),
            ("string", "tag2", False),
            ("string", "endpoint", False),
            ("string", "feedback_uri", False),
            ("bytes32", "feedback_hash", False),
        ),
    ),
    "0x25156fd3288212246d8b008d5921fde376c71ed14ac2e072a506eb06fde6d09d": (
        "FeedbackRevoked",
        (("uint256", "agent_id", True), ("address", "client_address", True), ("uint64", "feedback_index", True)),
    ),
    "0xb1c6be0b5b8aef6539e2fac0fd131a2faa7b49edf8e505b5eb0ad487d56051d4": (
        "ResponseAppended",
        (
            ("uint256", "agent_id", True),
            ("address", "client_address", True),
            ("uint64", "feedback_index", False),
            ("address", "responder", True),
            ("string", "response_uri", False),
            ("bytes32", "response_hash", False),
        ),
    ),
    "0x530436c3634a98e1e626b0898be2f1e9980cc1bd2a78c07a0aba52d0a48a5059": (
        "ValidationRequest",
        (
            ("address", "validator_address", True),
            ("uint256", "agent_id", True),
            ("string", "request_uri", False),
            ("bytes32", "request_hash", True),
        ),
    ),
    "0xafddf629e874ccc3963b6a888c477bd464a6c8525024fc88759ea3b2326349ae": (
        "ValidationResponse",
        (
            ("address", "validator_address", True),
            ("uint256", "agent_id", True),
            ("bytes32", "request_hash", True),
            ("uint8", "response", False),
            ("string", "response_uri", False),
            ("bytes32", "response_hash", False),
            ("string", "tag", False),
        ),
    ),
    "0x8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0": (
        "OwnershipTransferred",
        (("address", "previous_owner", True), ("address", "new_owner", True)),
    ),
    "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b": (
        "Upgraded",
        (("address", "implementation", True),),
    ),
    "0xc7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d2": (
        "Initialized",
        (("uint64", "version", False),),
    ),
}


def expected(log: Mapping[str, Any]) -> tuple[str, int | None, dict[str, Any]]:
    """(event type, agent id, data) of a log whose texts are UTF-8 without U+0000."""
    event_type, arguments = EXPECTED[log["topics"][0]]
    plain = [kind for kind, _, indexed in arguments if not indexed]
    values = iter(decode(plain, bytes.fromhex(log["data"][2:])))
    topics = iter(log["topics"][1:])
    data: dict[str, Any] = {}
    for kind, name, indexed in arguments:
        value = _topic(kind, next(topics)) if indexed else next(values)
        if name is not None:
            _put(data, kind, name, value)
    if "value" in data:
        data["score"] = _score(int(data["value"]), data["value_decimals"])
    return event_type, data.pop("agent_id", None), data


def _topic(kind: str, topic: str) -> Any:
    return decode(["bytes32" if kind == "string" else kind], bytes.fromhex(topic[2:]))[0]


def _put(data: dict[str, Any], kind: str, name: str, value: Any) -> None:
    if kind == "address":
        value = to_checksum_address(value)
    elif kind == "int128":
        value = str(value)
    elif kind in ("bytes", "bytes32"):
        raw, value = value, "0x" + value.hex()
        if kind == "bytes":
            try:
                data["metadata_text"] = raw.decode()
            except UnicodeDecodeError:
                pass
    data[name] = value


def _score(value: int, decimals: int) -> str:
    exact = Decimal(value).scaleb(-decimals, ANY_SIZE)
    return f"{exact.normalize(ANY_SIZE):f}" if exact else "0"


def words(types: Sequence[str], values: Sequence[Any]) -> str:
    """Values as the data of a log."""
    return "0x" + encode(types, values).hex()
