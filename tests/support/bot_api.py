"""A Bot API on loopback: ``sendMessage`` with the checks, limits and errors that Telegram documents.

Stricter than Telegram about limits: nothing beyond 30 messages a second of a bot, one a second to a chat, twenty a
minute to a group gets through, not even in a burst.
"""

import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.loopback import served
from tests.support.telegram_markup import CannotParse, Parsed, parse

TOKEN = "123456:TEST-deployment_bot"
OWN_TOKEN = "654321:TEST-own_bot"
BLOCKED = (403, "Forbidden: bot was blocked by the user")
KICKED = (403, "Forbidden: bot was kicked from the supergroup chat")
NO_RIGHTS = (400, "Bad Request: not enough rights to send text messages to the chat")
MEMBERS = {"chat_id", "text", "parse_mode", "disable_notification", "message_thread_id"}


@dataclass
class Sent:
    """A message that was taken."""

    token: str
    chat: str
    shown: Parsed
    members: dict[str, Any]
    at: float


@dataclass
class BotApi:
    """What it knows and what arrived. Chats: their kind, or the error that they give."""

    url: str = ""
    tokens: set[str] = field(default_factory=lambda: {TOKEN, OWN_TOKEN})
    chats: dict[str, str | tuple[int, str]] = field(
        default_factory=lambda: {"123456789": "private", "-100": "group", "@channel": "channel"}
    )
    threads: set[int] = field(default_factory=lambda: {7})
    moved: dict[str, int] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    canned: deque[web.Response] = field(default_factory=deque)
    """Answers that are given first, whatever is asked."""
    enforces: bool = True
    _starts: dict[str, deque[float]] = field(default_factory=dict)

    def flood(self, seconds: int) -> None:
        """Refuse the next message with a wait."""
        self.canned.append(_error(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds))

    async def handle(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        members = await request.json()
        if self.canned:
            answer = self.canned.popleft()
            self.refused.append((answer.status, answer.text or ""))
            return answer
        if token not in self.tokens:
            return self._error(401, "Unauthorized") if ":" in token else self._error(404, "Not Found")
        if request.match_info["method"] != "sendMessage":
            return self._error(404, "Not Found: method not found")
        return self._message(token, members)

    def _message(self, token: str, members: dict[str, Any]) -> web.Response:
        assert set(members) <= MEMBERS, f"sendMessage knows no {set(members) - MEMBERS}"
        chat = str(members["chat_id"])
        if chat in self.moved:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            return self._error(400, text, migrate_to_chat_id=self.moved[chat])
        kind = self.chats.get(chat)
        if kind is None:
            return self._error(400, "Bad Request: chat not found")
        if isinstance(kind, tuple):
            return self._error(*kind)
        if members.get("message_thread_id", 7) not in self.threads:
            return self._error(400, "Bad Request: message thread not found")
        try:
            shown = parse(members["text"], members.get("parse_mode"))
        except CannotParse as error:
            return self._error(400, f"Bad Request: can't parse entities: {error}")
        if not shown.text.strip():
            return self._error(400, "Bad Request: message text is empty")
        if shown.units > 4096:
            return self._error(400, "Bad Request: message is too long")
        wait = self._wait(token, chat, kind)
        if wait:
            return self._error(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        self.sent.append(Sent(token, chat, shown, members, time.monotonic()))
        result = {"message_id": len(self.sent), "date": int(time.time()), "chat": {"id": chat, "type": kind}}
        return web.json_response({"ok": True, "result": {**result, "text": shown.text}})

    def _wait(self, token: str, chat: str, kind: str) -> int:
        """Seconds to wait where a limit is reached; nothing is counted then."""
        now = time.monotonic()
        limits = [(token, 30, 1.0), (f"{token} {chat}", 1, 1.0)]
        if kind != "private":
            limits.append((f"{token} {chat} group", 20, 60.0))
        windows = [(self._starts.setdefault(name, deque()), most, seconds) for name, most, seconds in limits]
        for starts, most, seconds in windows:
            while starts and starts[0] <= now - seconds:
                starts.popleft()
            if self.enforces and len(starts) >= most:
                return max(1, int(starts[0] + seconds - now))
        for starts, _, _ in windows:
            starts.append(now)
        return 0

    def _error(self, code: int, description: str, **parameters: int) -> web.Response:
        self.refused.append((code, description))
        return _error(code, description, **parameters)


def _error(code: int, description: str, **parameters: int) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    return web.Response(status=code, text=json.dumps(body), content_type="application/json")


@asynccontextmanager
async def bot_api() -> AsyncIterator[BotApi]:
    """One on a free port."""
    api = BotApi()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", api.handle)
    async with served(app) as api.url:
        yield api
