"""Turns a delivery of a ``telegram`` action into a call of ``sendMessage``, and into what may be kept of it.

A configuration is read once per version and reused. The bot's token stands in the address alone, and nothing that
is kept, logged or answered shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import orjson
from yarl import URL

from agentauri.channels.envelope import template_values
from agentauri.channels.request import USER_AGENT
from agentauri.channels.telegram.message import Message, MessageTemplate, read_template
from agentauri.errors import TemplateError
from agentauri.models.action import MASK
from agentauri.models.delivery import Claimed, DeliveryType
from agentauri.models.disabling import sentence
from agentauri.models.telegram_action import ParseMode
from agentauri.models.template import Text, parse_text
from agentauri.models.template_names import is_known

METHOD = "sendMessage"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": USER_AGENT}
NO_BOT = (
    "There is no bot to send with: give the action a bot_token, or let whoever runs this deployment set "
    "AGENTAURI_TELEGRAM__BOT_TOKEN; then replay the delivery."
)
RETRACTION = (
    "{{trigger.name}}: a reorganisation of the chain took back the {{event_type}} of transaction {{transaction_hash}}. "
    "The message about it no longer holds."
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration as it is sent from. ``token`` None: there is no bot."""

    token: str | None = field(repr=False)
    own_token: bool
    template: MessageTemplate
    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call, ready to be made. ``token`` stands for itself in ``url``: see ``without_token``."""

    api: str
    token: str = field(repr=False)
    members: Mapping[str, Any]
    message: Message

    @property
    def url(self) -> URL:
        """Where the call goes. Holds the token."""
        return URL(f"{self.api}/bot{quote(self.token, safe=':')}/{METHOD}", encoded=True)

    @property
    def body(self) -> bytes:
        """What is sent."""
        return orjson.dumps(self.members)

    def to_chat(self, chat: int) -> "Call":
        """The same for another chat."""
        return replace(self, members={**self.members, "chat_id": chat})

    def without_token(self, text: str) -> str:
        """A text of whoever answered, or of an error, as it may be kept."""
        for secret in (self.token, quote(self.token, safe=""), quote(self.token, safe=":")):
            text = text.replace(secret, MASK)
        return text

    def kept(self) -> dict[str, Any]:
        """What is kept with the attempt: all but the token and the text."""
        return {
            "method": "POST",
            "url": f"{self.api}/bot{MASK}/{METHOD}",
            **{name: value for name, value in self.members.items() if name != "text"},
            "text_units": self.message.units,
            "is_cut": self.message.is_cut,
            "body_bytes": len(self.body),
        }


def prepare(config: Mapping[str, Any], deployment_token: str) -> Prepared:
    """Read a checked configuration. Raises TemplateError or ValueError on one that was never checked."""
    mode = ParseMode(config["parse_mode"])
    own: str | None = config.get("bot_token")
    members: dict[str, Any] = {"chat_id": config["chat_id"]}
    if mode is not ParseMode.NONE:
        members["parse_mode"] = mode.value
    if config.get("disable_notification"):
        members["disable_notification"] = True
    if config.get("message_thread_id") is not None:
        members["message_thread_id"] = config["message_thread_id"]
    return Prepared(
        token=own or deployment_token or None,
        own_token=own is not None,
        template=read_template(parse_text(config["message_template"], is_known), mode),
        members=members,
    )


def build(delivery: Claimed, prepared: Prepared, api: str) -> Call:
    """The call of one attempt. Raises TemplateError where there is nothing to send, or nobody to send it."""
    if prepared.token is None:
        raise TemplateError(NO_BOT)
    message, members = compose(delivery, prepared)
    return Call(api, prepared.token, members, message)


def compose(delivery: Claimed, prepared: Prepared) -> tuple[Message, dict[str, Any]]:
    """The message and the members of the call. A notice has words of its own: a template tells of a firing."""
    members = dict(prepared.members)
    template = prepared.template
    if delivery.type.is_notice:
        members.pop("parse_mode", None)
        template = _disabled(delivery) if delivery.type is DeliveryType.DISABLED else _retraction()
    message = template.render(template_values(delivery))
    return message, {**members, "text": message.text}


def _disabled(delivery: Claimed) -> MessageTemplate:
    """What happened to another action, as it stands: nothing in it is a template."""
    return read_template(Text((sentence(delivery.context),)), ParseMode.NONE)


def _retraction() -> MessageTemplate:
    return read_template(parse_text(RETRACTION, is_known), ParseMode.NONE)
