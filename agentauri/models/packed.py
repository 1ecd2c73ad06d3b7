"""State of triggers as it is stored whole: JSON by key, compressed."""

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

COMPRESSION = 1
"""zlib level: the fastest; state text shrinks four times even so."""


def pack(state: Mapping[str, Any]) -> bytes:
    """State by key as bytes."""
    return zlib.compress(orjson.dumps(state), COMPRESSION)


def unpack(packed: bytes) -> dict[str, Any]:
    """What ``pack`` was given."""
    state: dict[str, Any] = orjson.loads(zlib.decompress(packed))
    return state


def unpack_changed(state: bytes | None, changes: bytes | None) -> dict[str, Any] | None:
    """``state`` with what changed since put over it, None for a key that is gone; None where there is no state."""
    if state is None:
        return None
    changed = {} if changes is None else unpack(changes)
    return {key: value for key, value in (unpack(state) | changed).items() if value is not None}
