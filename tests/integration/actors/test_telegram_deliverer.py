"""Deliverers with a Bot API that has limits: paces, closed chats, waits, moved chats; and no token anywhere."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.models.action import ActionType, destination_of
from agentauri.store.database import Connection
from tests.support.bot_api import BLOCKED, OWN_TOKEN, TOKEN, BotApi, bot_api
from tests.support.queue import SECRET_KEY, Queue
from tests.support.waiting import eventually

MESSAGE = {"message_template": "Agent #{{agent_id}}: {{score}}.", "parse_mode": "MarkdownV2"}


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with bot_api() as started:
        yield started


@asynccontextmanager
async def delivering(database: str, api: BotApi, token: str = TOKEN) -> AsyncIterator[Deliverer]:
    """A deliverer that is drained at the end."""
    settings = DelivererSettings(
        database, SECRET_KEY, telegram_api=api.url, telegram_token=token, lane_lease_seconds=2.5, beat_seconds=0.2
    )
    assert TOKEN not in repr(settings)
    deliverer = Deliverer("deliverer-00", settings)
    await deliverer.start()
    try:
        yield deliverer
    finally:
        await deliverer.drain(0.2)


async def add(db: Connection, queue: Queue, chat: object, count: int = 1, **config: Any) -> UUID:
    action = await queue.add_action_of(db, ActionType.TELEGRAM, chat_id=chat, **MESSAGE, **config)
    await queue.add_deliveries(db, action, count)
    return action


async def add_for_flood(db: Connection, queue: Queue, api: BotApi) -> None:
    """Three chats, and a delivery to the first that Telegram will ask to wait with."""
    for chat in range(1, 4):
        api.chats[str(chat)] = "private"
    api.flood(2)
    await add(db, queue, 1, retry=[0, 0, 0])


async def has(db: Connection, status: str, count: int) -> bool:
    return bool(await db.fetchval("SELECT count(*) FROM deliveries WHERE status = $1", status) == count)


async def test_messages_keep_to_the_limits_and_all_arrive(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    for chat in range(1, 61):
        api.chats[str(chat)] = "private"
        await add(db, queue, chat, 2 if chat <= 5 else 1)
    async with delivering(database, api):
        await eventually(lambda: has(db, "delivered", 65), seconds=15)
    assert api.refused == []
    assert api.sent[-1].at - api.sent[0].at < 8


async def test_token_is_readable_nowhere(
    db: Connection, queue: Queue, database: str, api: BotApi, capsys: pytest.CaptureFixture[str]
) -> None:
    await add(db, queue, "123456789", bot_token=OWN_TOKEN)
    api.chats["5"] = BLOCKED
    await add(db, queue, 5, bot_token=OWN_TOKEN, retry=[0])
    async with delivering(database, api):
        await eventually(lambda: has(db, "delivered", 1))
        await eventually(lambda: has(db, "dead", 1))
    tables = ("deliveries", "delivery_attempts", "trigger_actions", "lanes")
    rows = "".join([str(await db.fetch(f"SELECT * FROM {table}")) for table in tables])
    captured = capsys.readouterr()
    for text in (rows, captured.out, captured.err):
        assert "TEST-" not in text


async def test_blocked_bot_disables_the_action_with_the_reason_and_holds_the_rest(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    api.chats["5"] = BLOCKED
    action = await add(db, queue, 5, 3)
    async with delivering(database, api):
        await eventually(lambda: has(db, "dead", 1))
        await eventually(lambda: has(db, "held", 2))
    row = await db.fetchrow("SELECT * FROM trigger_actions WHERE id = $1", action)
    assert row is not None
    assert (row["enabled"], row["disabled_by"]) == (False, "system")
    assert "bot was blocked by the user" in row["disabled_reason"]
    assert len(api.refused) == 1


async def test_action_that_was_changed_meanwhile_is_not_disabled_for_what_it_was(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    api.chats["5"] = BLOCKED
    action = await add(db, queue, 5)
    await db.execute(
        """CREATE FUNCTION edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               UPDATE trigger_actions SET updated_at = now() + interval '1 second'; RETURN new; END $$"""
    )
    await db.execute(
        """CREATE TRIGGER edit AFTER UPDATE ON deliveries FOR EACH ROW WHEN (new.status = 'dead')
           EXECUTE FUNCTION edit()"""
    )
    async with delivering(database, api):
        await eventually(lambda: has(db, "dead", 1))
    assert await db.fetchval("SELECT enabled FROM trigger_actions WHERE id = $1", action)


async def test_wait_that_telegram_asks_for_silences_the_whole_bot_and_no_other(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    await add_for_flood(db, queue, api)
    async with delivering(database, api):
        await eventually(lambda: len(api.refused) == 1)
        refused_at = time.monotonic()
        await eventually(lambda: has(db, "retrying", 1))
        await add(db, queue, 2)
        await add(db, queue, 3, bot_token=OWN_TOKEN)
        await eventually(lambda: has(db, "delivered", 3))
    by_chat = {one.chat: one.at - refused_at for one in api.sent}
    assert by_chat["3"] < 1.5
    assert min(by_chat["1"], by_chat["2"]) > 1.9
    assert len(api.refused) == 1


async def test_wait_that_telegram_asks_for_is_kept_by_the_next_owner_of_the_bot(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    await add_for_flood(db, queue, api)
    async with delivering(database, api):
        await eventually(lambda: has(db, "retrying", 1))
        refused_at = time.monotonic()
    await add(db, queue, 2)
    await add(db, queue, 3, bot_token=OWN_TOKEN)
    async with delivering(database, api):
        await eventually(lambda: has(db, "delivered", 3))
    by_chat = {one.chat: one.at - refused_at for one in api.sent}
    assert by_chat["3"] < min(by_chat["1"], by_chat["2"])
    assert min(by_chat["1"], by_chat["2"]) > 1.5
    assert len(api.refused) == 1


async def test_moved_chat_is_followed_and_its_new_number_kept(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    api.enforces = False  # the pace is another test's matter
    api.moved["-100"] = -1009
    api.chats["-1009"] = "supergroup"
    action = await add(db, queue, -100, 2, bot_token=OWN_TOKEN)
    async with delivering(database, api):
        await eventually(lambda: has(db, "delivered", 2))
    assert [one.chat for one in api.sent] == ["-1009", "-1009"]
    assert len(api.refused) == 1
    row = await db.fetchrow("SELECT config, destination FROM trigger_actions WHERE id = $1", action)
    assert row is not None
    assert row["config"]["chat_id"] == -1009
    kept = {"chat_id": -1009, "bot_token": OWN_TOKEN}
    assert row["destination"] == destination_of(queue.organization, ActionType.TELEGRAM, kept)


async def test_message_without_a_bot_fails_for_good_and_can_be_replayed_when_there_is_one(
    db: Connection, queue: Queue, database: str, api: BotApi
) -> None:
    action = await add(db, queue, "123456789")
    async with delivering(database, api, token=""):
        await eventually(lambda: has(db, "dead", 1))
    reason = await db.fetchval("SELECT status_reason FROM deliveries")
    assert "AGENTAURI_TELEGRAM__BOT_TOKEN" in reason
    assert await db.fetchval("SELECT enabled FROM trigger_actions WHERE id = $1", action)
    await db.execute("UPDATE deliveries SET status = 'pending', attempt_base = attempt_count")
    async with delivering(database, api):
        await eventually(lambda: has(db, "delivered", 1))
