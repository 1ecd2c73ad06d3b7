"""Fallback actions of every type hear that another one was disabled, in a sentence and whatever their template."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.models.action import ActionType
from agentauri.store.database import Connection
from tests.support.bot_api import TOKEN, bot_api
from tests.support.mcp_server import mcp_server
from tests.support.misbehaving import misbehaving
from tests.support.queue import SECRET_KEY, Queue
from tests.support.waiting import eventually

NAME_FALLBACK = """
    UPDATE trigger_actions SET trigger_id = (SELECT trigger_id FROM trigger_actions WHERE id = $1),
        config = CASE WHEN id = $1 THEN config || jsonb_build_object('fallback_action_id', $2::text) ELSE config END
    WHERE id IN ($1, $2::uuid)"""


@asynccontextmanager
async def delivering(database: str, **settings: Any) -> AsyncIterator[None]:
    settings = {"lane_lease_seconds": 2.5, "beat_seconds": 0.2} | settings
    deliverer = Deliverer("deliverer-00", DelivererSettings(database, SECRET_KEY, ("127.0.0.0/8",), **settings))
    await deliverer.start()
    try:
        yield
    finally:
        await deliverer.drain(0.2)


async def lose_receiver(db: Connection, queue: Queue, database: str, fallback: UUID, **settings: Any) -> UUID:
    """Let an action with this fallback meet a receiver that answers 410; returns the action."""
    async with misbehaving() as bad:
        gone = await queue.add_action(db, bad.url("/410"))
        await db.execute(NAME_FALLBACK, gone, str(fallback))
        await queue.add_deliveries(db, gone)
        async with delivering(database, **settings):
            told = "SELECT count(*) FROM deliveries WHERE type = 'action.disabled' AND status = 'delivered'"
            await eventually(lambda: db.fetchval(told))
    return gone


async def test_telegram_fallback_sends_the_sentence_as_plain_text(db: Connection, queue: Queue, database: str) -> None:
    async with bot_api() as api:
        fallback = await queue.add_action_of(
            db, ActionType.TELEGRAM, chat_id="123456789", message_template="*{{score}}*", parse_mode="MarkdownV2"
        )
        gone = await lose_receiver(db, queue, database, fallback, telegram_api=api.url, telegram_token=TOKEN)
    (message,) = api.sent
    assert "parse_mode" not in message.members
    assert message.shown.text.startswith(f"The rest action {gone} of the trigger “Low score” was disabled at ")
    assert "410 Gone" in message.shown.text
    assert api.refused == []


async def test_mcp_fallback_calls_its_tool_with_the_envelope(db: Connection, queue: Queue, database: str) -> None:
    with mcp_server() as server:
        fallback = await queue.add_action_of(
            db, ActionType.MCP, server_url=server.url, tool_name="anything", arguments_template={"x": "{{score}}"}
        )
        gone = await lose_receiver(db, queue, database, fallback)
    (called,) = [one[2]["params"] for one in server.requests if one[2] and one[2]["method"] == "tools/call"]
    told = called["arguments"]
    assert (called["name"], told["type"], called["_meta"]["agentauri/delivery-type"]) == (
        "anything", "action.disabled", "action.disabled",
    )  # fmt: skip
    assert told["data"]["action"]["id"] == str(gone)
    assert "410 Gone" in told["data"]["message"]
    assert "x" not in told
