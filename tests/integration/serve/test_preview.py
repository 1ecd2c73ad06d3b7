"""Previews over HTTP: what would be sent about every type of event, mistakes where they stand, and nothing sent."""

from typing import Any
from uuid import uuid4

import pytest

from agentauri.models.action import MASK
from agentauri.models.fields import EVENT_TYPES
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.support.rows import feedback, insert_events
from tests.support.telegram_markup import parse

TEMPLATE = "Agent #{{agent_id}}: {{score}}/100, {{computed.3.ema}} [{{tag1}}]."


def telegram(**config: Any) -> dict[str, Any]:
    written = {"chat_id": 5, "message_template": TEMPLATE, "parse_mode": "MarkdownV2", **config}
    return {"action_type": "telegram", "config": written}


async def test_message_is_shown_for_every_type_of_event(user: User) -> None:
    answer = await user.call("POST", "/triggers/preview", json=telegram())
    assert answer.status_code == 200, answer.text
    found = {one["event_type"]: one for one in answer.json()["data"]}
    assert set(found) == set(EVENT_TYPES)
    for one in found.values():
        shown = parse(one["rendered"]["text"], one["rendered"]["parse_mode"])
        assert shown.units == one["rendered"]["text_units"]
    assert parse(found["NewFeedback"]["rendered"]["text"], "MarkdownV2").text == "Agent #42: 59.5/100, 61.5 [starred]."


async def test_one_type_or_one_event_alone(user: User, pool: Pool) -> None:
    async with pool.acquire() as connection:
        (event,) = await insert_events(connection, [feedback(1, agent_id=7, data={"score": "12", "tag1": "_x_"})])
    real = (await user.call("POST", "/triggers/preview", json=telegram() | {"event_id": str(event)})).json()["data"]
    assert [parse(one["rendered"]["text"], "MarkdownV2").text for one in real] == ["Agent #7: 12/100, 61.5 [_x_]."]
    body = telegram() | {"event_type": "AgentRegistered"}
    sample = (await user.call("POST", "/triggers/preview", json=body)).json()["data"]
    assert [one["event_type"] for one in sample] == ["Registered"]


async def test_request_of_a_webhook_is_shown_without_its_secrets(user: User) -> None:
    config = {
        "url": "https://example.com/{{agent_id}}?token=s3cr3t",
        "headers": {"Authorization": MASK, "X-Api-Key": "s3cr3t", "X-A": "b"},
        "body_template": {"id": "{{agent_id}}", "name": "{{trigger.name}}"},
    }
    body = {"action_type": "rest", "config": config, "event_type": "NewFeedback", "trigger_name": "Low"}
    answer = await user.call("POST", "/triggers/preview", json=body)
    (found,) = answer.json()["data"]
    assert found["rendered"]["body"] == {"id": 42, "name": "Low"}
    assert found["rendered"]["url"].startswith("https://example.com/42?token=")
    assert found["rendered"]["headers"]["X-A"] == "b"
    assert "s3cr3t" not in answer.text


async def test_call_of_a_tool_is_shown_with_a_stand_in_for_the_file(user: User) -> None:
    config = {
        "resolve_endpoint": True, "tool_name": "agent.receive", "include_file_content": True, "auth_token": MASK,
        "arguments_template": {"score": "{{score}}", "file": "{{verified_file_content}}"},
    }  # fmt: skip
    body = {"action_type": "mcp", "config": config, "event_type": "NewFeedback"}
    (found,) = (await user.call("POST", "/triggers/preview", json=body)).json()["data"]
    assert (found["rendered"]["tool_name"], found["rendered"]["server_url"]) == ("agent.receive", None)
    assert found["rendered"]["arguments"]["score"] == 59.5
    assert "file" in found["rendered"]["arguments"]["file"]


async def test_masked_token_does_for_a_preview(user: User) -> None:
    body = telegram(bot_token=MASK) | {"event_type": "NewFeedback"}
    assert (await user.call("POST", "/triggers/preview", json=body)).status_code == 200


async def test_event_about_which_nothing_could_be_sent_says_why(user: User) -> None:
    body = telegram(message_template="{{feedback_uri}}")
    found = (await user.call("POST", "/triggers/preview", json=body)).json()["data"]
    assert {one["event_type"] for one in found if one["error"] is None} == {"NewFeedback"}
    assert all((one["rendered"] is None) == (one["error"] is not None) for one in found)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (telegram(message_template="{{nonsense}}"), "/config/message_template"),
        (telegram(chat_id="x"), "/config/chat_id"), (telegram(parse_mode="Markdown"), "/config/parse_mode"),
        ({"action_type": "fax", "config": {}}, "/action_type"), (telegram() | {"event_type": "Nothing"}, "/event_type"),
        (telegram() | {"event_type": "Transfer", "event_id": str(uuid4())}, "/event_id"),
        (telegram() | {"colour": "red"}, "/colour"), (telegram() | {"trigger_name": ""}, "/trigger_name"),
    ],
)  # fmt: skip
async def test_mistake_is_named_where_it_stands(user: User, body: dict[str, Any], pointer: str) -> None:
    answer = await user.call("POST", "/triggers/preview", json=body)
    assert answer.status_code == 400
    assert pointer in [one["pointer"] for one in answer.json()["errors"]]


async def test_unknown_event_is_not_found_and_strangers_may_not_ask(user: User, api: Api) -> None:
    body = telegram() | {"event_id": str(uuid4())}
    assert (await user.call("POST", "/triggers/preview", json=body)).status_code == 404
    assert (await api.client.post("/api/v1/triggers/preview", json=body)).status_code == 401
