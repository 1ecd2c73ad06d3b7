"""What an answer of the Bot API means: delivered, to be tried again, failed for good, or not wanted any more.

Telegram says what is wrong in a sentence, and only there; the sentences that are known to mean that no message will
ever get through are listed. Every failure keeps Telegram's own words. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from agentauri.channels.retry import MAX_RETRY_AFTER_SECONDS
from agentauri.models.delivery import Judgement, Outcome

TOO_MANY_REQUESTS = 429
FORBIDDEN = 403
BAD_REQUEST = 400
UNKNOWN_TOKEN = (401, 404)
CHAT_IS_CLOSED = (
    "chat not found", "user not found", "peer_id_invalid", "chat_write_forbidden", "message thread not found",
    "have no rights to send a message", "not enough rights to send", "need administrator rights",
)  # fmt: skip
REMEDIES = {
    FORBIDDEN: "Let the bot write there again, then enable the action.",
    BAD_REQUEST: "Correct the chat, or let the bot write there; then enable the action.",
}
OWN_TOKEN = "Telegram does not know the action's bot_token; set the one that @BotFather shows, then enable the action."
DEPLOYMENT_TOKEN = (
    "Telegram does not know the bot of this deployment; whoever runs it has to correct AGENTAURI_TELEGRAM__BOT_TOKEN. "
    "Replay the delivery then, or give the action a bot_token of its own."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``description``: Telegram's sentence; "" where it is none of the Bot API's."""

    outcome: Outcome
    status: int | None
    judged: Judgement | None = None
    description: str = ""
    retry_after: float | None = None
    migrate_to: int | None = None
    gone_because: str | None = None
    message_id: int | None = None


def read_answer(status: int, body: bytes, *, own_token: bool) -> Answer:
    """The meaning of an HTTP answer. ``own_token``: the bot is the action's, not the deployment's."""
    told = _object(body)
    if told.get("ok") is True and 200 <= status <= 299:
        result = told.get("result")
        message = result.get("message_id") if isinstance(result, dict) else None
        return Answer(Outcome.SUCCESS, status, message_id=_number(message))
    code = told.get("error_code")
    code = code if isinstance(code, int) and not isinstance(code, bool) and told.get("ok") is False else status
    if 200 <= code <= 399:
        # Whoever answered is no Bot API: a portal, or a proxy that has lost it. It may be back soon.
        return Answer(Outcome.HTTP, None, description=f"This is no answer of the Bot API (status {status}).")
    description = told.get("description")
    description = description if isinstance(description, str) else f"The Bot API answered {code}."
    parameters = told.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    because = _why_gone(code, description, own_token=own_token)
    return Answer(
        Outcome.HTTP,
        code,
        judged=Judgement.GONE if because else None,
        description=_explained(code, description, own_token=own_token),
        retry_after=_seconds(parameters.get("retry_after")) if code == TOO_MANY_REQUESTS else None,
        migrate_to=_number(parameters.get("migrate_to_chat_id")),
        gone_because=because,
    )


def _why_gone(code: int, description: str, *, own_token: bool) -> str | None:
    """Why no message will get through until somebody does something; None: others may.

    The deployment's token is not the business of an action's owner, who could not mend it either.
    """
    if code in UNKNOWN_TOKEN and own_token:
        return OWN_TOKEN
    is_closed = code == BAD_REQUEST and any(words in description.lower() for words in CHAT_IS_CLOSED)
    if code == FORBIDDEN or is_closed:
        return f"Telegram takes no messages for this chat: {description}. {REMEDIES[code]}"
    return None


def _explained(code: int, description: str, *, own_token: bool) -> str:
    if code in UNKNOWN_TOKEN:
        return f"{description}. {OWN_TOKEN if own_token else DEPLOYMENT_TOKEN}"
    return description


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float) or told < 0:
        return None
    return min(float(told), MAX_RETRY_AFTER_SECONDS)


def _number(told: object) -> int | None:
    is_number = isinstance(told, int) and not isinstance(told, bool) and 0 < abs(told) < 2**63
    return told if is_number and isinstance(told, int) else None
