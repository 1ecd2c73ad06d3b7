"""An event: one log of a registry, as stored and as everyone sees it.

The evaluator meets a hundred thousand of these a second, so this is a plain slotted class, and its ``data``
stays JSON text until a condition asks for a field of it. Names of fields, their kinds and aliases: ``fields.py``.
"""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson


class Registry(StrEnum):
    """The three registries of ERC-8004."""

    IDENTITY = "identity"
    REPUTATION = "reputation"
    VALIDATION = "validation"


UNKNOWN = "Unknown"
"""Event type of a log of a registry whose topic or layout is not known; kept raw."""


class Event:
    """One row of ``events``. Times are whole seconds since 1970 of the block's own clock."""

    __slots__ = (
        "_data", "agent_id", "block_hash", "block_number", "block_timestamp", "chain_id", "contract",
        "data_json", "event_type", "id", "log_index", "registry", "seq", "transaction_hash",
    )  # fmt: skip

    def __init__(
        self,
        *,
        id: UUID,
        seq: int,
        chain_id: int,
        registry: str,
        event_type: str,
        agent_id: int | None,
        contract: str,
        block_number: int,
        block_hash: str,
        block_timestamp: int,
        transaction_hash: str,
        log_index: int,
        data_json: bytes,
    ) -> None:
        self.id = id
        self.seq = seq
        self.chain_id = chain_id
        self.registry = registry
        self.event_type = event_type
        self.agent_id = agent_id
        self.contract = contract
        self.block_number = block_number
        self.block_hash = block_hash
        self.block_timestamp = block_timestamp
        self.transaction_hash = transaction_hash
        self.log_index = log_index
        self.data_json = data_json
        self._data: dict[str, Any] | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The decoded arguments in snake_case; {} where what is stored is no JSON object."""
        if self._data is None:
            self._data = read_object(self.data_json)
        return self._data

    def public(self) -> dict[str, Any]:
        """The event as JSON-ready object, as webhooks and the API show it (spec chain.md)."""
        return {
            "id": str(self.id),
            "seq": self.seq,
            "chain_id": self.chain_id,
            "registry": self.registry,
            "event_type": self.event_type,
            "agent_id": public_value("agent_id", self.agent_id),
            "contract": self.contract,
            "block_number": self.block_number,
            "block_hash": self.block_hash,
            "block_timestamp": rfc3339(self.block_timestamp),
            "transaction_hash": self.transaction_hash,
            "log_index": self.log_index,
            "data": {name: public_value(name, value) for name, value in self.data.items()},
        }

    def storable(self) -> dict[str, Any]:
        """As ``public``; data of another writer that no JSON encoder takes are left out (protocol P4)."""
        public = self.public()
        try:
            orjson.dumps({"event": public})
        except orjson.JSONEncodeError:
            return public | {"data": {}}
        return public


def read_object(text: bytes) -> dict[str, Any]:
    """The members of a JSON object that any writer may have stored; {} where it is none.

    What orjson refuses and PostgreSQL holds (numbers beyond a double, deep nesting) is read without its inner parts.
    """
    try:
        loaded = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        loaded = _without_inner_parts(whole)
    return loaded if isinstance(loaded, dict) else {}


def _without_inner_parts(whole: object) -> object:
    if not isinstance(whole, dict):
        return None
    return {name: value for name, value in whole.items() if not isinstance(value, (dict, list))}


def rfc3339(seconds: float) -> str:
    """A time in seconds since 1970 as RFC 3339 in UTC with ``Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


MAX_JSON_INTEGER = 2**53 - 1
MAX_JSON_SCORE_DIGITS = 15


def public_value(name: str, value: Any) -> Any:
    """A value of ``data`` as JSON answers show it: big integers as text, a score as number where it is exact."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) > MAX_JSON_INTEGER:
        return str(value)
    if name == "score" and isinstance(value, str):
        return public_score(value)
    return value


def public_score(text: str) -> int | float | str:
    """An exact decimal string as a JSON number when at most 15 digits, else the text itself."""
    digits = text.lstrip("-").replace(".", "").lstrip("0")
    if len(digits) > MAX_JSON_SCORE_DIGITS or len(text) > 2 * MAX_JSON_SCORE_DIGITS:
        return text
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
