"""Messages to a Bot API that has limits and errors: one recorded outcome each, and never a token in it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from agentauri.channels.retry import judge
from agentauri.channels.telegram.channel import Telegram
from agentauri.models.action import ActionType
from agentauri.models.delivery import Attempt, DeliveryType, Judgement, Outcome
from tests.support.bot_api import BLOCKED, KICKED, NO_RIGHTS, OWN_TOKEN, TOKEN, BotApi, bot_api
from tests.support.claims import claimed_of
from tests.support.misbehaving import misbehaving

TEMPLATE = "Agent #{{agent_id}} got {{score}}/100 [{{tag1}}]."


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with bot_api() as started:
        yield started


@pytest.fixture
async def telegram(api: BotApi) -> AsyncIterator[Telegram]:
    opened = Telegram.open(api.url, TOKEN)
    yield opened
    await opened.close()


async def attempt(telegram: Telegram, seconds: float = 5, **config: Any) -> Attempt:
    given: dict[str, Any] = {"chat_id": "123456789", "message_template": TEMPLATE, "parse_mode": "MarkdownV2", **config}
    found = await telegram.attempt(claimed_of(ActionType.TELEGRAM, **given), seconds)
    for secret in (TOKEN, OWN_TOKEN, "TEST-"):
        assert secret not in repr(found)
    return found


async def test_message_arrives_as_it_was_written(api: BotApi, telegram: Telegram) -> None:
    found = await attempt(telegram, disable_notification=True, message_thread_id=7)
    assert (found.outcome, found.http_status) == (Outcome.SUCCESS, 200)
    (sent,) = api.sent
    assert sent.shown.text == "Agent #42 got 59.5/100 [quality]."
    assert sent.members | {"text": ""} == {
        "chat_id": "123456789", "text": "", "parse_mode": "MarkdownV2", "disable_notification": True,
        "message_thread_id": 7,
    }  # fmt: skip
    assert found.response_excerpt == '{"message_id": 1}'
    assert found.request is not None
    assert found.request["url"] == f"{api.url}/bot••••••••/sendMessage"


async def test_action_with_a_token_of_its_own_uses_that_bot(api: BotApi, telegram: Telegram) -> None:
    await attempt(telegram, bot_token=OWN_TOKEN, parse_mode="none", chat_id=-100)
    assert (api.sent[0].token, api.sent[0].members["chat_id"]) == (OWN_TOKEN, -100)
    assert "parse_mode" not in api.sent[0].members


async def test_without_any_bot_it_fails_for_good_and_says_what_to_set(api: BotApi) -> None:
    telegram = Telegram.open(api.url, "")
    found = await attempt(telegram)
    await telegram.close()
    assert (found.outcome, judge(found)) == (Outcome.REJECTED, Judgement.FINAL)
    assert "AGENTAURI_TELEGRAM__BOT_TOKEN" in (found.error_message or "")
    assert api.sent == []


@pytest.mark.parametrize("error", [BLOCKED, KICKED, NO_RIGHTS, None, (400, "Bad Request: message thread not found")])
async def test_closed_chat_is_gone_with_telegrams_own_words(
    api: BotApi, telegram: Telegram, error: tuple[int, str] | None
) -> None:
    if error is None:
        del api.chats["123456789"]
    else:
        api.chats["123456789"] = error
    found = await attempt(telegram)
    assert (found.outcome, judge(found)) == (Outcome.HTTP, Judgement.GONE)
    assert found.gone_because is not None
    assert (error or (400, "Bad Request: chat not found"))[1] in found.gone_because
    assert "enable the action" in found.gone_because


@pytest.mark.parametrize("token", ["1:TEST-unknown", None])
async def test_refused_token_is_gone_if_it_is_the_actions_and_a_failure_if_it_is_the_deployments(
    api: BotApi, telegram: Telegram, token: str | None
) -> None:
    api.tokens = set()
    found = await attempt(telegram, bot_token=token)
    assert judge(found) is (Judgement.GONE if token else Judgement.FINAL)
    assert "@BotFather" in (found.gone_because or "") or "AGENTAURI_TELEGRAM__BOT_TOKEN" in (found.error_message or "")


async def test_wait_that_telegram_asks_for_holds_for_the_bot(api: BotApi, telegram: Telegram) -> None:
    api.flood(17)
    found = await attempt(telegram)
    assert (found.http_status, found.retry_after, found.pauses_lane) == (429, 17.0, True)
    assert judge(found) is Judgement.RETRY


async def test_supergroup_is_followed_once(api: BotApi, telegram: Telegram) -> None:
    api.moved["-100"] = -1009
    api.chats["-1009"] = "supergroup"
    found = await attempt(telegram, chat_id=-100)
    assert (found.outcome, found.chat_moved_to) == (Outcome.SUCCESS, -1009)
    assert [one.chat for one in api.sent] == ["-1009"]
    api.moved["-1009"] = -100
    found = await attempt(telegram, chat_id=-100)
    assert (judge(found), found.chat_moved_to, len(api.sent)) == (Judgement.FINAL, None, 1)


@pytest.mark.parametrize(
    ("answer", "judgement", "status"),
    [
        (web.Response(status=500, text="x"), Judgement.RETRY, 500),
        (web.Response(status=502, text="<html>"), Judgement.RETRY, 502),
        (web.Response(status=200, text="<html>portal"), Judgement.RETRY, None),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), Judgement.RETRY, None),
        (web.Response(status=200, text="[" * 100_000), Judgement.RETRY, None),
        (web.Response(status=400, text='{"ok":false,"error_code":400,"description":7,"parameters":[]}'),
            Judgement.FINAL, 400),
        (web.Response(status=400, text=json.dumps({"ok": False, "error_code": 400, "description": "x " + TOKEN})),
            Judgement.FINAL, 400),
        (web.Response(status=429, text=json.dumps({"ok": False, "error_code": 429, "description": "x",
            "parameters": {"retry_after": -5, "migrate_to_chat_id": "x"}})), Judgement.RETRY, 429),
    ],
)  # fmt: skip
async def test_any_answer_has_a_meaning(
    api: BotApi, telegram: Telegram, answer: web.Response, judgement: Judgement, status: int | None
) -> None:
    api.canned.append(answer)
    found = await attempt(telegram)
    assert (found.outcome, judge(found), found.http_status) == (Outcome.HTTP, judgement, status)
    assert found.error_message


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/hang", Outcome.TIMEOUT), ("/reset", Outcome.CONNECT), ("/drip", Outcome.TIMEOUT),
        ("/nonsense", Outcome.HTTP),
    ],
)  # fmt: skip
async def test_server_in_trouble_never_shows_the_token(path: str, outcome: Outcome) -> None:
    async with misbehaving() as bad:
        telegram = Telegram.open(bad.url(f"{path}?"), TOKEN)
        found = await attempt(telegram, 0.5)
        await telegram.close()
        assert (found.outcome, judge(found)) == (outcome, Judgement.RETRY)


async def test_nobody_there_is_a_connection_that_failed() -> None:
    telegram = Telegram.open("http://127.0.0.1:9", TOKEN)
    found = await attempt(telegram)
    await telegram.close()
    assert (found.outcome, found.sent) == (Outcome.CONNECT, False)


async def test_retraction_has_words_of_its_own(api: BotApi, telegram: Telegram) -> None:
    config: dict[str, Any] = {"chat_id": 123456789, "message_template": TEMPLATE, "parse_mode": "HTML"}
    delivery = claimed_of(ActionType.TELEGRAM, type=DeliveryType.RETRACTED, **config)
    assert (await telegram.attempt(delivery, 5)).outcome is Outcome.SUCCESS
    assert "took back the NewFeedback" in api.sent[0].shown.text
    assert "parse_mode" not in api.sent[0].members
