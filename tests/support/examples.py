"""Triggers with telegram actions as users of the platform write them."""

import copy
from typing import Any

AGENT_42 = {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": "42"}
REFUND_HOOK = {
    "action_type": "rest",
    "priority": 2,
    "config": {
        "method": "POST",
        "url": "https://hooks.example.com/refund",
        "headers": {"Authorization": "Bearer s3cr3t", "Content-Type": "application/json"},
        "body_template": {
            "agent_id": "{{agent_id}}",
            "score": "{{score}}",
            "client": "{{client_address}}",
            "file_uri": "{{file_uri}}",
        },
    },
}


def _telegram(message: str, mode: str = "MarkdownV2") -> dict[str, Any]:
    config = {"chat_id": "123456789", "parse_mode": mode, "message_template": message}
    return {"action_type": "telegram", "priority": 1, "config": config}


def _score(value: str) -> dict[str, Any]:
    return {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": value}


def _reputation(name: str, conditions: list[dict[str, Any]], message: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "chain_id": 84532,
        "registry": "reputation",
        "conditions": [AGENT_42, *conditions],
        "actions": [_telegram(message), *more],
    }


REFUND = {"condition_type": "tag_equals", "field": "tag1", "operator": "=", "value": "refund"}
EMA = {
    "condition_type": "ema_threshold", "field": "score", "operator": "<", "value": "70",
    "config": {"window_size": 10, "alpha": 0.2},
}  # fmt: skip
BURST = {
    "condition_type": "rate_limit", "field": "feedback_count", "operator": ">", "value": "10",
    "config": {"time_window": "1h", "reset_on_trigger": True},
}  # fmt: skip
VALIDATORS = '["0x70997970C51812dc3A010C7d01b50e0d17dc79C8","0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"]'

EXAMPLES: list[dict[str, Any]] = [
    _reputation(
        "Low score",
        [_score("60")],
        "Agent #{{agent_id}} got {{score}}/100 from {{client_address}} [{{tag1}}/{{tag2}}] in block {{block_number}}.",
    ),
    {
        "name": "New agent",
        "chain_id": 84532,
        "registry": "identity",
        "conditions": [
            {
                "condition_type": "event_type_equals",
                "field": "event_type",
                "operator": "=",
                "value": "AgentRegistered",
            }
        ],
        "actions": [_telegram("New agent {{agent_id}} by {{owner}}: {{token_uri}} ({{transaction_hash}})", "HTML")],
    },
    _reputation(
        "Refund feedback", [REFUND], "Refund: {{agent_id}} {{score}} {{client_address}} {{file_uri}}", REFUND_HOOK
    ),
    {
        "name": "Weak validation",
        "chain_id": 80002,
        "registry": "validation",
        "conditions": [
            {
                "condition_type": "validator_whitelist",
                "field": "validator_address",
                "operator": "IN",
                "value": VALIDATORS,
            },
            {"condition_type": "response_threshold", "field": "response", "operator": "<", "value": "80"},
        ],
        "actions": [_telegram("Agent {{agent_id}}: {{validator_address}} answered {{response}} ({{tag}})")],
    },
    _reputation("EMA below 70", [EMA], "EMA {{ema_score}} after {{score}} for {{agent_id}}"),
    _reputation("Burst of bad scores", [_score("50"), BURST], "{{count}} bad scores within the hour for {{agent_id}}"),
    _reputation("Critical", [_score("30")], "CRITICAL: agent {{agent_id}} got {{score}}"),
]


def to_chats_of_their_own() -> list[dict[str, Any]]:
    """The examples with their telegram actions alone, each writing to a chat of its own: 1, 2, 3, …"""
    found = copy.deepcopy(EXAMPLES)
    for number, example in enumerate(found, 1):
        example["actions"] = example["actions"][:1]
        example["actions"][0]["config"]["chat_id"] = str(number)
    return found
