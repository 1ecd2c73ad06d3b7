"""The configuration of a ``telegram`` action: which bot tells which chat what.

``check_telegram`` notes every problem of what a user wrote and returns the configuration as it is stored, defaults
filled in. Without a ``bot_token`` the deployment's bot sends; whether there is one is seen when it does, for it may be
named later, and what waits can be replayed then. A token is a secret: nothing made of it here shows it.
"""

import re
from enum import StrEnum
from hashlib import sha256
from typing import Any

from agentauri.errors import TemplateError
from agentauri.models.problems import Problems, step
from agentauri.models.template import parse_text
from agentauri.models.template_names import is_known


class ParseMode(StrEnum):
    """How a message's markup is written."""

    MARKDOWN = "MarkdownV2"
    HTML = "HTML"
    NONE = "none"


KEYS = ("chat_id", "message_template", "parse_mode", "bot_token", "disable_notification", "message_thread_id")
CHAT_NUMBER = re.compile(r"-?[1-9][0-9]{0,18}")
CHAT_NAME = re.compile(r"@[A-Za-z][A-Za-z0-9_]{2,31}")
MAX_CHAT_NUMBER = 2**63 - 1
MAX_THREAD_ID = 2**31 - 1
BOT_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,128}")
PARSE_MODES = {mode.lower(): mode for mode in ParseMode}
BOT_LANE = "bot:"
"""How the lanes of bots begin."""
DEPLOYMENT_BOT = f"{BOT_LANE}deployment"
"""The lane of the bot that actions without a token of their own share."""
HASH_LENGTH = 32


def check_telegram(config: dict[str, Any], pointer: str, problems: Problems) -> dict[str, Any]:
    """The stored form of a user's configuration; what is wrong with it is noted in ``problems``."""
    stored: dict[str, Any] = {
        "chat_id": _check_chat(config.get("chat_id"), step(pointer, "chat_id"), problems),
        "message_template": _check_template(
            config.get("message_template"), step(pointer, "message_template"), problems
        ),
        "parse_mode": _check_mode(config.get("parse_mode"), step(pointer, "parse_mode"), problems),
        "disable_notification": _check_flag(
            config.get("disable_notification"), step(pointer, "disable_notification"), problems
        ),
    }
    if config.get("bot_token") is not None:
        stored["bot_token"] = _check_token(config["bot_token"], step(pointer, "bot_token"), problems)
    if config.get("message_thread_id") is not None:
        thread = config["message_thread_id"]
        stored["message_thread_id"] = _check_thread(thread, step(pointer, "message_thread_id"), problems)
    return stored


def bot_lane(config: dict[str, Any]) -> str:
    """One bot with all its chats. Who knows no token cannot get into its lane, and nobody can read it from there."""
    token = config.get("bot_token")
    if token is None:
        return DEPLOYMENT_BOT
    return f"{BOT_LANE}{sha256(b'agentauri bot' + token.encode()).hexdigest()[:HASH_LENGTH]}"


def chat_of(config: dict[str, Any]) -> str:
    """One spelling of a checked configuration's chat."""
    return str(config["chat_id"]).lower()


def _check_chat(chat: Any, at: str, problems: Problems) -> int | str:
    if isinstance(chat, int) and not isinstance(chat, bool):
        if not 0 < abs(chat) <= MAX_CHAT_NUMBER:
            problems.add(at, "this is not the number of a chat.")
        return chat
    if isinstance(chat, str) and (_is_number(chat) or CHAT_NAME.fullmatch(chat)):
        return chat
    problems.add(at, "a chat is needed: its number, such as -1001234567890, or the name of a channel: @channel.")
    return ""


def _is_number(chat: str) -> bool:
    return CHAT_NUMBER.fullmatch(chat) is not None and abs(int(chat)) <= MAX_CHAT_NUMBER


def _check_template(template: Any, at: str, problems: Problems) -> str:
    if not isinstance(template, str) or not template.strip():
        problems.add(at, "a message is needed, such as Agent {{agent_id}} got {{score}}.")
        return ""
    try:
        parse_text(template, is_known)
    except TemplateError as error:
        problems.add(at, str(error))
    return template


def _check_mode(mode: Any, at: str, problems: Problems) -> ParseMode:
    if mode is None:
        return ParseMode.NONE
    found = PARSE_MODES.get(mode.lower()) if isinstance(mode, str) else None
    if found is None:
        problems.add(at, f"the parse mode must be one of {', '.join(ParseMode)}.")
        return ParseMode.NONE
    return found


def _check_token(token: Any, at: str, problems: Problems) -> str:
    if isinstance(token, str) and BOT_TOKEN.fullmatch(token):
        return token
    problems.add(at, "a bot token looks like 123456789:AAE…, as @BotFather gives it.")
    return ""


def _check_flag(flag: Any, at: str, problems: Problems) -> bool:
    if flag is None or isinstance(flag, bool):
        return bool(flag)
    problems.add(at, "this is true or false.")
    return False


def _check_thread(thread: Any, at: str, problems: Problems) -> int:
    if isinstance(thread, bool) or not isinstance(thread, int) or not 1 <= thread <= MAX_THREAD_ID:
        problems.add(at, "a thread is named by a whole number above 0.")
        return 0
    return thread
