"""The channel of ``telegram`` actions: messages by a bot, over the Bot API.

Whatever the server does, an attempt ends within its deadline in exactly one outcome. Nobody but the operator names
the server, so the outbound guard has nothing to refuse; redirects, proxies and cookies are refused here too. A chat
that became a supergroup is followed once. How often a bot may speak is kept by ``windows.py``, before it comes here.
"""

import asyncio
import time

import aiohttp

from agentauri.channels.addresses import Policy, policy_of
from agentauri.channels.excerpt import MAX_DECODED_BYTES, MESSAGE_BYTES, clean, excerpt
from agentauri.channels.failures import unanswered, unbuilt
from agentauri.channels.guard import GuardedClient, read_capped
from agentauri.channels.kept import Kept
from agentauri.channels.progress import Progress, traces
from agentauri.channels.telegram.answers import Answer, read_answer
from agentauri.channels.telegram.request import HEADERS, Call, Prepared, build, prepare
from agentauri.errors import TemplateError
from agentauri.models.delivery import Attempt, Claimed, Outcome

EVERYWHERE = Policy(policy_of(("0.0.0.0/0", "::/0")).allowed, high_ports=range(1, 65536))
"""The operator's own server may stand anywhere."""


class Telegram:
    """Sends messages to the Bot API at ``api``; ``token`` is that of the deployment's bot, "" where there is none."""

    def __init__(self, client: GuardedClient, api: str, token: str) -> None:
        self._client = client
        self._api = api
        self._prepared = Kept[Prepared](lambda one: prepare(one.config, token))

    @classmethod
    def open(cls, api: str, token: str) -> "Telegram":
        """One with a client of its own. Needs a running event loop."""
        return cls(GuardedClient(EVERYWHERE, traces=traces()), api.rstrip("/"), token)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def attempt(self, delivery: Claimed, seconds: float) -> Attempt:
        """Send once and say how it ended, within ``seconds``."""
        began = time.monotonic()
        try:
            prepared = self._prepared.of(delivery)
            call = build(delivery, prepared, self._api)
        except (TemplateError, ValueError) as error:
            return unbuilt(error, time.monotonic() - began)
        progress = Progress()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(call, prepared, progress, began)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return unanswered(
                error,
                time.monotonic() - began,
                seconds,
                request=call.kept(),
                sent=progress.sent,
                without_secrets=call.without_token,
            )

    async def _exchange(self, call: Call, prepared: Prepared, progress: Progress, began: float) -> Attempt:
        """Send; once more to the supergroup that the chat has become, if it has."""
        answer, body = await self._send(call, prepared, progress)
        moved_to = answer.migrate_to
        if moved_to is not None:
            call = call.to_chat(moved_to)
            answer, body = await self._send(call, prepared, progress)
        return _answered(answer, body, call, moved_to, time.monotonic() - began)

    async def _send(self, call: Call, prepared: Prepared, progress: Progress) -> tuple[Answer, bytes]:
        try:
            return await self._post(call, prepared, progress)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not progress.reused:
                raise
        # The server had closed the kept connection: that says nothing about it, so a new one is tried.
        progress.reused = False
        return await self._post(call, prepared, progress)

    async def _post(self, call: Call, prepared: Prepared, progress: Progress) -> tuple[Answer, bytes]:
        async with self._client.session.post(
            call.url, headers=HEADERS, data=call.body, allow_redirects=False, trace_request_ctx=progress
        ) as response:
            body, _ = await read_capped(response.content)
        return read_answer(response.status, body, own_token=prepared.own_token), body


def _answered(answer: Answer, body: bytes, call: Call, moved_to: int | None, took: float) -> Attempt:
    is_success = answer.outcome is Outcome.SUCCESS
    shown = _told(answer, body, call)
    because = answer.gone_because
    return Attempt(
        outcome=answer.outcome,
        duration_seconds=took,
        http_status=answer.status,
        error_class=None if is_success else "TelegramError",
        error_message=None if is_success else clean(call.without_token(answer.description), MESSAGE_BYTES),
        response_excerpt=excerpt(shown.encode()),
        request=call.kept(),
        retry_after=answer.retry_after,
        sent=True,
        judged=answer.judged,
        gone_because=None if because is None else clean(call.without_token(because), MESSAGE_BYTES),
        pauses_lane=answer.retry_after is not None,
        chat_moved_to=moved_to if is_success else None,
    )


def _told(answer: Answer, body: bytes, call: Call) -> str:
    """What is kept of the answer: of a message that was taken its number alone, for the rest tells whose chat it is,
    and by the deployment's bot anybody may write to a chat."""
    if answer.outcome is Outcome.SUCCESS:
        return f'{{"message_id": {answer.message_id}}}' if answer.message_id else ""
    return call.without_token(body[:MAX_DECODED_BYTES].decode(errors="replace"))
