"""``agentauri decode``: logs of an ``eth_getLogs`` answer as events, one JSON object a line.

Takes a bare list of logs, a JSON-RPC answer, or an object with ``logs`` and ``addresses`` (registry → address), from a
file or standard input. A log that is none goes to standard error as JSON and makes the exit status 1 at the end.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from agentauri.chain.decoder import decode_log
from agentauri.chain.layouts import LAYOUTS
from agentauri.chain.registries import default_addresses
from agentauri.errors import ConfigError, DecodeError
from agentauri.models.event import UNKNOWN, Event, Registry
from agentauri.models.ids import event_id
from agentauri.models.log import DecodedLog

STANDARD_INPUT = "-"
TELLING = {
    "Registered": Registry.IDENTITY,
    "MetadataSet": Registry.IDENTITY,
    "URIUpdated": Registry.IDENTITY,
    "NewFeedback": Registry.REPUTATION,
    "FeedbackRevoked": Registry.REPUTATION,
    "ResponseAppended": Registry.REPUTATION,
    "ValidationRequest": Registry.VALIDATION,
    "ValidationResponse": Registry.VALIDATION,
}
"""Events that only one registry emits: they tell which registry an address is, where nobody else does."""

Addresses = Mapping[str, Registry]
"""Address in small letters → registry."""


def decode(file: str, chain_id: int) -> bool:
    """Print every event; True when every log was one. Raises ConfigError when the file holds no logs."""
    logs, addresses = parse(_read(file), chain_id)
    whole = True
    for log in logs:
        try:
            sys.stdout.buffer.write(orjson.dumps(public(_event(log, addresses), chain_id)) + b"\n")
        except DecodeError as error:
            whole = False
            sys.stderr.buffer.write(orjson.dumps({"error": error.message, "log": log}) + b"\n")
    sys.stdout.buffer.flush()
    return whole


def _read(file: str) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error


def parse(text: bytes, chain_id: int) -> tuple[list[Any], Addresses]:
    """The logs of a file, and which registry each address is. Raises ConfigError when there are none in it."""
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"the file is not JSON: {error}") from error
    tables = whole if isinstance(whole, dict) else {"logs": whole}
    logs = tables.get("logs", tables.get("result"))
    if not isinstance(logs, list):
        raise ConfigError('the file is neither a list of logs nor an object with "logs" or "result".')
    known = {address.lower(): registry for registry, address in default_addresses(chain_id).items()}
    return logs, known | _told(logs) | _given(tables.get("addresses", {}))


def _given(addresses: object) -> dict[str, Registry]:
    if not isinstance(addresses, dict):
        raise ConfigError('"addresses" has to be an object: registry → address.')
    try:
        return {str(address).lower(): Registry(name) for name, address in addresses.items() if address}
    except ValueError as error:
        raise ConfigError(f'"addresses" names an unknown registry: {error}; known: {", ".join(Registry)}.') from error


def _told(logs: Iterable[Any]) -> dict[str, Registry]:
    """What the logs themselves say about their addresses."""
    found: dict[str, Registry] = {}
    for log in logs:
        match log:
            case {"address": str(address), "topics": [str(topic), *_]}:
                names = [layout.event_type for layout in LAYOUTS.get(topic.lower(), ())]
                if names and names[0] in TELLING:
                    found[address.lower()] = TELLING[names[0]]
            case _:
                continue
    return found


def _event(log: object, addresses: Addresses) -> DecodedLog:
    """The event of a log. Raises DecodeError where a known event's log does not have its layout, too."""
    if not isinstance(log, dict):
        raise DecodeError("a log has to be a JSON object")
    registry = addresses.get(str(log.get("address")).lower())
    if registry is None:
        raise DecodeError(f'{log.get("address")} is no registry that is known here; name it in "addresses"')
    event = decode_log(log, registry)
    topics = log["topics"]
    if event.event_type == UNKNOWN and topics and (layouts := LAYOUTS.get(topics[0].lower())):
        raise DecodeError(
            f"the log does not have the layout of {layouts[0].event_type}; an indexer keeps it as Unknown"
        )
    return event


def public(log: DecodedLog, chain_id: int) -> dict[str, Any]:
    """The event as everyone sees it, but for what only a database gives: seq."""
    event = Event(
        id=event_id(chain_id, log.block_hash, log.transaction_hash, log.log_index, 0),
        seq=0,
        chain_id=chain_id,
        registry=log.registry,
        event_type=log.event_type,
        agent_id=log.agent_id,
        contract=log.contract,
        block_number=log.block_number,
        block_hash=log.block_hash,
        block_timestamp=log.block_timestamp or 0,
        transaction_hash=log.transaction_hash,
        log_index=log.log_index,
        data_json=orjson.dumps(log.data),
    )
    shown = event.public()
    del shown["seq"]
    return shown if log.block_timestamp is not None else shown | {"block_timestamp": None}
