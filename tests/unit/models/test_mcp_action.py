"""What users may write as an ``mcp`` action, and how each mistake is named."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.errors import InvalidRequest
from agentauri.models.action import MASK, ActionType, destination_of, lane_of, masked, merge_masked, parse_action

ORGANIZATION = UUID("00000000-0000-4000-8000-000000000001")
URL = "https://agent.example.com/mcp"
EXAMPLES: list[dict[str, Any]] = [
    {
        "resolve_endpoint": True,
        "tool_name": "agent.receiveFeedback",
        "verify_file_hash": True,
        "include_file_content": True,
        "payload_template": {
            "score": "{{score}}", "clientAddress": "{{client_address}}", "feedbackIndex": "{{feedback_index}}",
            "fileUri": "{{file_uri}}", "fileHash": "{{file_hash}}", "fileContent": "{{verified_file_content}}",
            "blockNumber": "{{block_number}}", "timestamp": "{{timestamp}}",
        },
    },
    {"server_url": URL, "tool_name": "x"},
]  # fmt: skip


def mcp(**config: object) -> dict[str, object]:
    return {"action_type": "mcp", "config": {"server_url": URL, "tool_name": "agent.receiveFeedback", **config}}


def problems_of(raw: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        parse_action(raw)
    return dict(refused.value.problems)


@pytest.mark.parametrize("config", EXAMPLES)
def test_config_is_accepted_and_accepted_again_as_it_is_stored(config: dict[str, Any]) -> None:
    stored = parse_action({"action_type": "mcp", "config": config}).config
    assert stored.items() >= config.items()
    assert parse_action({"action_type": "mcp", "config": stored}).config == stored


def test_defaults_are_filled_in() -> None:
    assert parse_action(mcp()).config == {
        "server_url": URL,
        "tool_name": "agent.receiveFeedback",
        "timeout_seconds": 15,
        "verify_file_hash": False,
        "include_file_content": False,
    }


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"server_url": None}, "server_url"), ({"server_url": "ftp://x/"}, "server_url"),
        ({"server_url": "https://u:p@example.com/"}, "server_url"),
        ({"server_url": f"{URL}/{{{{tag1}}}}"}, "server_url"),
        ({"resolve_endpoint": True}, "server_url"), ({"resolve_endpoint": "yes"}, "resolve_endpoint"),
        ({"tool_name": None}, "tool_name"), ({"tool_name": ""}, "tool_name"), ({"tool_name": "a b"}, "tool_name"),
        ({"tool_name": "x" * 129}, "tool_name"), ({"arguments_template": ["{{score}}"]}, "arguments_template"),
        ({"arguments_template": "plain"}, "arguments_template"),
        ({"arguments_template": {"a": "{{no}}"}}, "arguments_template"),
        ({"payload_template": {"a": "{{"}}, "payload_template"),
        ({"payload_template": {}, "arguments_template": {}}, "payload_template"),
        ({"auth_token": ""}, "auth_token"), ({"auth_token": "Bearer x"}, "auth_token"),
        ({"auth_token": 5}, "auth_token"),
        ({"auth_token": MASK}, "auth_token"), ({"timeout_seconds": 61}, "timeout_seconds"),
        ({"verify_file_hash": 1}, "verify_file_hash"), ({"include_file_content": "no"}, "include_file_content"),
        ({"url": URL}, "url"), ({"retry": []}, "retry"),
    ],
)  # fmt: skip
def test_mistake_is_named_with_its_place(config: dict[str, Any], place: str) -> None:
    assert f"/config/{place}" in problems_of(mcp(**config))


def test_verified_file_content_is_no_name_of_webhooks() -> None:
    rest = {"url": "https://example.com/", "body_template": {"a": "{{verified_file_content}}"}}
    assert "/config/body_template" in problems_of({"action_type": "rest", "config": rest})


def test_text_that_is_an_object_is_taken_for_it() -> None:
    assert parse_action(mcp(arguments_template='{"a": "{{tag1}}"}')).config["arguments_template"] == {"a": "{{tag1}}"}


def test_destination_of_a_named_server_is_shared_with_webhooks_to_it() -> None:
    config = parse_action(mcp()).config
    rest = parse_action({"action_type": "rest", "config": {"url": "https://agent.example.com:443/hook"}}).config
    assert destination_of(ORGANIZATION, ActionType.MCP, config) == destination_of(ORGANIZATION, ActionType.REST, rest)
    assert lane_of(ActionType.MCP, config) == "host:agent.example.com"


def test_resolved_server_has_a_place_of_each_agent() -> None:
    config = parse_action({"action_type": "mcp", "config": EXAMPLES[0]}).config
    assert destination_of(ORGANIZATION, ActionType.MCP, config) == f"{ORGANIZATION} agent:*"
    assert lane_of(ActionType.MCP, config) == "agent:*"


def test_token_comes_back_masked_and_a_mask_keeps_it() -> None:
    stored = parse_action(mcp(auth_token="sesame")).config
    shown = masked(stored)
    assert shown["auth_token"] == MASK
    assert merge_masked(stored, shown)["auth_token"] == "sesame"
    assert merge_masked(stored, {**shown, "auth_token": "new"})["auth_token"] == "new"
    assert "auth_token" not in merge_masked(stored, {"server_url": URL})
