"""What a channel is, and which channel serves which type of action.

A new type is a module with a Channel and an entry in ``open_channels``, beside its check in ``models/action.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentauri.channels.addresses import Policy
from agentauri.channels.mcp import Mcp
from agentauri.channels.registrations import UriOf
from agentauri.channels.telegram.channel import Telegram
from agentauri.channels.webhook import Webhook
from agentauri.models.action import ActionType
from agentauri.models.delivery import Attempt, Claimed


class Channel(Protocol):
    """Sends deliveries of one type."""

    async def attempt(self, delivery: Claimed, seconds: float) -> Attempt:
        """Try once, all requests included, within ``seconds``. Failures are outcomes, never exceptions."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What channels need to know of the world: what may be reached, where agents' files, IPFS and Telegram are, and
    the token of the deployment's bot."""

    policy: Policy
    uri_of: UriOf
    ipfs_gateways: Sequence[str] = ()
    telegram_api: str = "https://api.telegram.org"
    telegram_token: str = field(default="", repr=False)


def open_channels(outside: Outside) -> Mapping[ActionType, Channel]:
    """The channels of this version. Needs a running event loop."""
    return {
        ActionType.REST: Webhook.open(outside.policy),
        ActionType.TELEGRAM: Telegram.open(outside.telegram_api, outside.telegram_token),
        ActionType.MCP: Mcp.open(outside.policy, outside.uri_of, outside.ipfs_gateways),
    }
