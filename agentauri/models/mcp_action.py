"""The configuration of an ``mcp`` action: which tool of which MCP server is called, and with what.

``check_mcp`` notes every problem of what a user wrote and returns the configuration as it is stored, defaults filled
in. The server is named by its address, or found for each event in the registration file of the event's agent
(``resolve_endpoint``); then caps and breakers are kept for each agent, not for the action. Pure: whether a server or
a file can be had is decided when it is asked for (``channels/mcp.py``).
"""

import re
from typing import Any

from agentauri.models.place import Place, parse_place
from agentauri.models.problems import Problems, step
from agentauri.models.rest_action import check_json_template, check_timeout
from agentauri.models.template import OPENING
from agentauri.models.template_names import is_known_in_mcp

TEMPLATES = ("arguments_template", "payload_template")
"""Two names of one thing; the stored form keeps the one that was written."""
FLAGS = ("verify_file_hash", "include_file_content")
KEYS = ("server_url", "resolve_endpoint", "tool_name", *TEMPLATES, "auth_token", "timeout_seconds", *FLAGS)
TOOL_NAME = re.compile(r"[A-Za-z0-9_./:-]{1,128}")
MAX_TOKEN_LENGTH = 4096
TOKEN = re.compile(r"[\x21-\x7e]+")
PER_AGENT = "agent:*"
"""How an action's destination and lane end when each event's agent has one of its own (``store/places.py``)."""


def check_mcp(config: dict[str, Any], pointer: str, problems: Problems) -> dict[str, Any]:
    """The stored form of a user's configuration; what is wrong with it is noted in ``problems``."""
    stored = _check_server(config, pointer, problems)
    stored["tool_name"] = _check_tool(config.get("tool_name"), step(pointer, "tool_name"), problems)
    stored["timeout_seconds"] = check_timeout(config.get("timeout_seconds"), step(pointer, "timeout_seconds"), problems)
    for flag in FLAGS:
        stored[flag] = _check_flag(config.get(flag), step(pointer, flag), problems)
    written = [name for name in TEMPLATES if config.get(name) is not None]
    if len(written) > 1:
        problems.add(step(pointer, TEMPLATES[1]), f"this is another name of {TEMPLATES[0]}; leave one of them away.")
    for name in written:
        stored[name] = _check_arguments(config[name], step(pointer, name), problems)
    if config.get("auth_token") is not None:
        stored["auth_token"] = _check_token(config["auth_token"], step(pointer, "auth_token"), problems)
    return stored


def mcp_place(config: dict[str, Any]) -> Place | None:
    """Where a checked configuration's server is; None where each event's agent names its own."""
    return None if config.get("resolve_endpoint") else parse_place(config["server_url"])


def _check_server(config: dict[str, Any], pointer: str, problems: Problems) -> dict[str, Any]:
    resolves = _check_flag(config.get("resolve_endpoint"), step(pointer, "resolve_endpoint"), problems)
    url, at = config.get("server_url"), step(pointer, "server_url")
    if resolves:
        if url is not None:
            problems.add(at, "with resolve_endpoint the agent's registration file names the server; leave one away.")
        return {"resolve_endpoint": True}
    if not isinstance(url, str) or not url:
        problems.add(at, "a server is needed: server_url such as https://example.com/mcp, or resolve_endpoint: true.")
        return {"server_url": ""}
    try:
        if OPENING in url:
            raise ValueError("templates are not filled in in a server's address; put them in the arguments.")
        parse_place(url)
    except ValueError as error:
        problems.add(at, str(error))
    return {"server_url": url}


def _check_flag(value: Any, at: str, problems: Problems) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    problems.add(at, "this is true or false.")
    return False


def _check_tool(name: Any, at: str, problems: Problems) -> str:
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        problems.add(at, "a tool's name has 1 to 128 letters, digits, dots, dashes, underscores, colons or slashes.")
        return ""
    return name


def _check_arguments(template: Any, at: str, problems: Problems) -> Any:
    checked = check_json_template(template, at, problems, is_known_in_mcp)
    if not isinstance(checked, dict):
        problems.add(at, "a tool takes an object of arguments.")
    return checked


def _check_token(token: Any, at: str, problems: Problems) -> str:
    if not isinstance(token, str) or not TOKEN.fullmatch(token) or len(token) > MAX_TOKEN_LENGTH:
        problems.add(at, f"a token has 1 to {MAX_TOKEN_LENGTH} visible ASCII characters; it is sent after Bearer.")
        return ""
    return token
