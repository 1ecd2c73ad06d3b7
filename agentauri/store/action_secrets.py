"""Secrets inside an action's configuration, sealed in the row and opened for its sending.

``trigger_actions.config`` holds them as base64 text bound to the action's id; everything else in it stays readable.
"""

from base64 import b64decode, b64encode
from typing import Any
from uuid import UUID

from agentauri.models.action import map_secrets
from agentauri.store.vault import Vault


def _context(action_id: UUID) -> str:
    return f"action:{action_id}"


def seal_config(vault: Vault, action_id: UUID, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration as it is stored."""

    def seal(secret: str) -> str:
        return b64encode(vault.seal(secret.encode(), _context(action_id))).decode()

    return map_secrets(config, seal)


def is_current(vault: Vault, config: dict[str, Any]) -> bool:
    """Whether the key that seals now sealed every secret of a stored configuration. Damaged ones are not."""
    found: list[str] = []
    map_secrets(config, found.append)
    try:
        return all(vault.is_current(b64decode(one)) for one in found)
    except ValueError:
        return False


def open_config(vault: Vault, action_id: UUID, config: dict[str, Any]) -> dict[str, Any]:
    """The configuration as its owner wrote it. Raises StoreError when a secret does not open."""

    def unseal(sealed: str) -> str:
        return vault.open(b64decode(sealed), _context(action_id)).decode()

    return map_secrets(config, unseal)
