"""What users may write as a telegram action, how each mistake is named, and where its secret may be seen."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.errors import InvalidRequest
from agentauri.models.action import (
    MASK,
    ActionType,
    destination_of,
    lane_of,
    map_secrets,
    masked,
    merge_masked,
    parse_action,
    parse_actions,
)

ORGANIZATION = UUID("00000000-0000-4000-8000-000000000001")
TOKEN = "123456789:AAE-own_token"


def telegram(**config: object) -> dict[str, object]:
    written = {"chat_id": "123456789", "message_template": "Agent {{agent_id}}", **config}
    return {"action_type": "telegram", "config": {key: value for key, value in written.items() if value != "-"}}


def config_of(**config: object) -> dict[str, Any]:
    return parse_action(telegram(**config)).config


def test_defaults_are_filled_in_and_a_message_is_sent_as_it_is_written() -> None:
    assert config_of() == {
        "chat_id": "123456789", "message_template": "Agent {{agent_id}}", "parse_mode": "none",
        "disable_notification": False,
    }  # fmt: skip


@pytest.mark.parametrize("chat", [123456789, -1001234567890, "-1001234567890", "@channel_1", "@abc"])
def test_chats_are_numbers_or_names(chat: object) -> None:
    assert config_of(chat_id=chat)["chat_id"] == chat


WRONG: dict[str, list[Any]] = {
    "chat_id": [
        "-", None, "", 0, True, 1.5, 2**63, "0", "channel", "@", "@1a", "@a b", " 5", "9" * 20, "t.me/x", [], {},
    ],
    "message_template": [
        "-", None, "", "  ", 5, [], "{{nonsense}}", "{{agent_id", "{{verified_file_content}}", "{{agent_id | bold}}",
        "x" * 16385,
    ],
    "parse_mode": ["Markdown", 5, ""],
    "bot_token": ["x", "", "1:a/../x", 5, MASK],
    "disable_notification": ["yes"],
    "message_thread_id": [0, True, "7"],
    "retry": [[]],
    "timeout_seconds": [5],
    "url": ["https://example.com"],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_value_is_refused_where_it_stands(key: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_actions([telegram(**{key: value})])
    assert {pointer for pointer, _ in refused.value.problems} == {f"/actions/0/config/{key}"}


def test_parse_modes_are_taken_in_any_case() -> None:
    assert [config_of(parse_mode=mode)["parse_mode"] for mode in ("markdownv2", "html", "NONE", None)] == [
        "MarkdownV2", "HTML", "none", "none",
    ]  # fmt: skip


def test_token_is_a_secret_and_a_masked_one_sent_back_keeps_it() -> None:
    stored = config_of(bot_token=TOKEN)
    assert masked(stored)["bot_token"] == MASK
    assert map_secrets(stored, lambda secret: secret[::-1])["bot_token"] == TOKEN[::-1]
    assert merge_masked(stored, {**masked(stored), "chat_id": 5})["bot_token"] == TOKEN
    assert merge_masked(config_of(), masked(stored))["bot_token"] == MASK


def test_p22_lane_is_the_bot_and_destination_its_chat_and_neither_tells_the_token() -> None:
    shared, own, other = config_of(chat_id="@Name"), config_of(bot_token=TOKEN), config_of(bot_token=TOKEN + "x")
    assert lane_of(ActionType.TELEGRAM, shared) == "bot:deployment"
    assert destination_of(ORGANIZATION, ActionType.TELEGRAM, shared) == f"{ORGANIZATION} bot:deployment @name"
    lane = lane_of(ActionType.TELEGRAM, own)
    assert lane != lane_of(ActionType.TELEGRAM, other)
    assert not any(
        part in lane + destination_of(ORGANIZATION, ActionType.TELEGRAM, own) for part in TOKEN.split(":")[1:]
    )
    as_number = config_of(chat_id=123456789, bot_token=TOKEN)
    assert destination_of(ORGANIZATION, ActionType.TELEGRAM, as_number) == f"{ORGANIZATION} {lane} 123456789"
