"""What the configurations of actions look like on the wire, by type. The rules behind them: ``models/*_action.py``."""

from typing import Any, Final

from agentauri.models.action import ActionType

Schema = dict[str, Any]

SHARED: Final[Schema] = {
    "retry": {
        "type": ["array", "null"],
        "items": {"type": "number", "minimum": 0},
        "minItems": 1,
        "maxItems": 15,
        "description": "Seconds to wait before each attempt.",
    },
    "rate_limit_per_second": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1000},
    "notify_retraction": {"type": ["boolean", "null"]},
    "fallback_action_id": {
        "type": ["string", "null"],
        "format": "uuid",
        "description": "Another action of the same trigger, which is told when the system disables this one.",
    },
}
TIMEOUT: Final[Schema] = {"type": ["number", "null"], "minimum": 1, "maximum": 60, "default": 15}

REST: Final[Schema] = {
    "title": "RestConfig",
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "maxLength": 2048, "examples": ["https://example.com/hook"]},
        "method": {"type": "string", "enum": ["POST", "GET", "PUT", "PATCH", "DELETE"], "default": "POST"},
        "headers": {
            "type": ["object", "null"],
            "maxProperties": 20,
            "additionalProperties": {"type": "string", "maxLength": 1024},
            "description": "Values of headers that are named like secrets are encrypted and come back masked.",
        },
        "body_template": {
            "description": "A JSON value or text with `{{templates}}`; without it the standard envelope.",
        },
        "timeout_seconds": TIMEOUT,
        "signing_secret": {
            "type": ["string", "null"],
            "maxLength": 100,
            "description": "`whsec_` and base64 of 24 to 64 bytes: signs beside the organization's secrets. Encrypted "
            "at rest and masked.",
        },
        "expected_status_codes": {
            "type": ["array", "null"],
            "items": {"type": "integer", "minimum": 200, "maximum": 599},
            "minItems": 1,
            "maxItems": 100,
        },
        **SHARED,
    },
}

TELEGRAM: Final[Schema] = {
    "title": "TelegramConfig",
    "type": "object",
    "required": ["chat_id", "message_template"],
    "additionalProperties": False,
    "properties": {
        "chat_id": {
            "type": ["integer", "string"],
            "maxLength": 33,
            "examples": [-1001234567890, "@channel"],
            "description": "The chat's number, also as text, or the name of a public channel or group.",
        },
        "message_template": {
            "type": "string",
            "maxLength": 16384,
            "examples": ["Agent #{{agent_id}} got {{score}}."],
            "description": (
                "Text with `{{templates}}`, whose values are escaped for the parse mode, and in which what is no "
                "whole entity is shown as it is written. Longer messages than Telegram takes are cut."
            ),
        },
        "parse_mode": {"type": ["string", "null"], "enum": ["MarkdownV2", "HTML", "none", None], "default": "none"},
        "bot_token": {
            "type": ["string", "null"],
            "maxLength": 149,
            "description": "Of a bot of your own; encrypted, and comes back masked. Without it the deployment's bot.",
        },
        "disable_notification": {"type": ["boolean", "null"], "default": False},
        "message_thread_id": {"type": ["integer", "null"], "minimum": 1, "maximum": 2147483647},
        **SHARED,
    },
}

ARGUMENTS: Final[Schema] = {
    "description": "An object with `{{templates}}`, or the same as text; without it the standard envelope.",
    "type": ["object", "string", "null"],
}
MCP: Final[Schema] = {
    "title": "McpConfig",
    "type": "object",
    "required": ["tool_name"],
    "additionalProperties": False,
    "properties": {
        "server_url": {
            "type": ["string", "null"],
            "maxLength": 2048,
            "examples": ["https://example.com/mcp"],
            "description": "The MCP server; either this or `resolve_endpoint`.",
        },
        "resolve_endpoint": {
            "type": ["boolean", "null"],
            "description": "True: the `MCP` service in the registration file of each event's agent.",
        },
        "tool_name": {"type": "string", "pattern": "^[A-Za-z0-9_./:-]{1,128}$", "examples": ["agent.receiveFeedback"]},
        "arguments_template": ARGUMENTS,
        "payload_template": {**ARGUMENTS, "description": "Another name of `arguments_template`."},
        "auth_token": {
            "type": ["string", "null"],
            "maxLength": 4096,
            "description": "Sent as `Authorization: Bearer`; encrypted, and comes back masked.",
        },
        "timeout_seconds": TIMEOUT,
        "verify_file_hash": {
            "type": ["boolean", "null"],
            "description": "True: a file of the event that is not what the event's hash says fails the delivery.",
        },
        "include_file_content": {
            "type": ["boolean", "null"],
            "description": "True: `{{verified_file_content}}` is the event's file if its hash or URI vouches for it.",
        },
        **SHARED,
    },
}

ACTION_CONFIGS: Final[dict[ActionType, Schema]] = {
    ActionType.REST: REST,
    ActionType.TELEGRAM: TELEGRAM,
    ActionType.MCP: MCP,
}
"""The configuration of each action type."""
ANY_CONFIG: Final[Schema] = {"anyOf": list(ACTION_CONFIGS.values())}
