"""From a log in a node's JSON to an event: positions, topics and data in, named values out.

Nothing that a contract can emit is an error: what no layout fits is an ``Unknown`` that keeps its topics and data
(protocol P4). DecodeError means that the JSON is not a log's: without topics, or with bad hex. Such a log, if its
position can be read, is kept by ``keep_malformed``. Text that PostgreSQL cannot hold has U+FFFD in the stored value
and stands whole, as hex, beside it. Nothing here knows about chains, ids or storage.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import orjson

from agentauri.chain import abi
from agentauri.chain.layouts import LAYOUTS, Layout
from agentauri.errors import DecodeError
from agentauri.models.event import UNKNOWN, Registry
from agentauri.models.log import DecodedLog

MAX_BIGINT = 2**63 - 1
MAX_LOG_INDEX = 2**31 - 1
MAX_TIMESTAMP = 253_402_300_799
"""The last second of the year 9999, in seconds since 1970: what timestamps can hold here."""
MAX_TOPICS = 4
REPLACEMENT = "�"
HASH = re.compile(r"0x[0-9a-fA-F]{64}")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class Position(NamedTuple):
    """Where a log stands in the chain. Addresses and hashes are 0x hex in small letters."""

    address: str
    block_number: int
    block_hash: str
    block_timestamp: int | None
    transaction_hash: str
    log_index: int


def decode_log(log: Mapping[str, object], registry: Registry) -> DecodedLog:
    """The event of a log, ``Unknown`` if no layout fits. Raises DecodeError when the JSON is not a log's."""
    return decode_at(read_position(log), log, registry)


def decode_at(position: Position, log: Mapping[str, object], registry: Registry) -> DecodedLog:
    """``decode_log`` for a position that was read before. Raises DecodeError."""
    topics, data = _topics(log), _bytes(log, "data")
    words = bytes.fromhex("".join([topic[2:] for topic in topics]))
    for layout in LAYOUTS.get(topics[0], ()) if topics else ():
        if layout.topics == len(topics):
            try:
                return _event(position, registry, layout.event_type, _arguments(layout, words, data))
            except DecodeError:
                continue
    return _event(position, registry, UNKNOWN, {"topics": topics, "raw_data": "0x" + data.hex()})


def keep_malformed(position: Position, log: Mapping[str, object], registry: Registry) -> DecodedLog:
    """The ``Unknown`` that keeps what a node gave as topics and data, whatever it is."""
    topics = log.get("topics")
    listed = topics if isinstance(topics, list) else [] if topics is None else [topics]
    texts = [_any_text(one) for one in listed]
    return _event(position, registry, UNKNOWN, {"topics": texts, "raw_data": _any_text(log.get("data"))})


def read_position(log: Mapping[str, object]) -> Position:
    """Where the log stands. Raises DecodeError that names the field."""
    given = log.get("blockTimestamp")
    return Position(
        hex_text(log, "address", ADDRESS),
        quantity(log, "blockNumber"),
        hex_text(log, "blockHash", HASH),
        None if given is None else quantity(log, "blockTimestamp", MAX_TIMESTAMP),
        hex_text(log, "transactionHash", HASH),
        quantity(log, "logIndex", MAX_LOG_INDEX),
    )


def quantity(source: Mapping[str, object], name: str, most: int = MAX_BIGINT) -> int:
    """A JSON-RPC quantity (0x hex) of at most ``most``. Raises DecodeError that names the field."""
    text = source.get(name)
    # int() also takes underscores, signs, blanks and other scripts' digits.
    if isinstance(text, str) and text.startswith("0x") and text.isascii() and text.isalnum():
        try:
            value = int(text, 16)
        except ValueError:
            value = most + 1
        if value <= most:
            return value
    raise DecodeError(f"{name} is {_excerpt(text)}, not a hex quantity up to {most}")


def hex_text(source: Mapping[str, object], name: str, form: re.Pattern[str]) -> str:
    """0x hex of a certain length, in small letters. Raises DecodeError that names the field."""
    text = source.get(name)
    if not isinstance(text, str) or not form.fullmatch(text):
        raise DecodeError(f"{name} is {_excerpt(text)}, not {form.pattern}")
    return text.lower()


def _topics(log: Mapping[str, object]) -> list[str]:
    topics = log.get("topics")
    if not isinstance(topics, list) or len(topics) > MAX_TOPICS:
        raise DecodeError(f"topics is {_excerpt(topics)}, not a list of at most {MAX_TOPICS}")
    for topic in topics:
        if not isinstance(topic, str) or not HASH.fullmatch(topic):
            raise DecodeError(f"a topic is {_excerpt(topic)}, not {HASH.pattern}")
    return [topic.lower() for topic in topics]


def _bytes(log: Mapping[str, object], name: str) -> bytes:
    text = log.get(name)
    if isinstance(text, str) and text.startswith("0x"):
        try:
            found = bytes.fromhex(text[2:])
        except ValueError:
            found = b""
        if 2 * len(found) == len(text) - 2:  # fromhex skips blanks
            return found
    raise DecodeError(f"{name} is {_excerpt(text)}, not 0x hex")


def _arguments(layout: Layout, words: bytes, data: bytes) -> dict[str, object]:
    values: dict[str, object] = {}
    for argument in layout.indexed:
        KEEP[argument.kind](values, argument.name, argument.read(words, argument.at, len(words)))
    for argument in layout.plain:
        KEEP[argument.kind](values, argument.name, argument.read(data, argument.at, layout.heads))
    if "value" in values:
        _add_score(values)
    return values


def _event(position: Position, registry: Registry, event_type: str, values: dict[str, object]) -> DecodedLog:
    agent = values.get("agent_id")
    if isinstance(agent, int):
        del values["agent_id"]
    return DecodedLog(
        registry,
        event_type,
        agent if isinstance(agent, int) else None,
        abi.checksum(bytes.fromhex(position.address[2:])),
        position.block_number,
        position.block_hash,
        position.block_timestamp,
        position.transaction_hash,
        position.log_index,
        values,
    )


def _keep_plain(values: dict[str, object], name: str, value: object) -> None:
    values[name] = value


def _keep_number(values: dict[str, object], name: str, value: object) -> None:
    values[name] = str(value) if isinstance(value, int) and value > MAX_BIGINT else value


def _keep_text(values: dict[str, object], name: str, value: object) -> None:
    assert isinstance(value, bytes)
    text = value.decode(errors="replace")
    clean = text.replace("\0", REPLACEMENT)
    values[name] = clean
    if REPLACEMENT in clean and clean.encode() != value:
        values[f"{name}_hex"] = "0x" + value.hex()


def _keep_bytes(values: dict[str, object], name: str, value: object) -> None:
    """Hex, and beside it the text that it may be: metadata_value, metadata_text."""
    assert isinstance(value, bytes)
    values[name] = "0x" + value.hex()
    try:
        value.decode()
    except UnicodeDecodeError:
        return
    _keep_text(values, name.replace("_value", "_text"), value)


KEEP: Mapping[str, Callable[[dict[str, object], str, object], None]] = {
    "uint256": _keep_number,
    "uint64": _keep_number,
    "uint8": _keep_plain,
    "int128": _keep_plain,
    "bool": _keep_plain,
    "address": _keep_plain,
    "bytes32": _keep_plain,
    "text32": _keep_text,
    "string": _keep_text,
    "bytes": _keep_bytes,
}
"""How a value of each type of the table goes into ``data``."""


def _add_score(values: dict[str, object]) -> None:
    value = values["value"]
    decimals = values.setdefault("value_decimals", 0)
    assert isinstance(value, int)
    assert isinstance(decimals, int)
    values["value"] = str(value)
    values["score"] = exact_score(value, decimals)


def exact_score(value: int, decimals: int) -> str:
    """value / 10^decimals as a decimal text: no exponent, no zeros at its end, no negative zero.

    ``decimals`` is a uint8, so the text has at most 258 characters.
    """
    if decimals == 0:
        return str(value)
    digits = str(abs(value)).rjust(decimals + 1, "0")
    whole, part = digits[:-decimals], digits[-decimals:].rstrip("0")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def _any_text(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text.replace("\0", REPLACEMENT)


def _excerpt(value: object, most: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"
