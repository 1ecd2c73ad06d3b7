"""Actions of a trigger as users write them: checked by type before they are stored, secrets told apart.

``parse_actions`` accepts only what can be sent later, and names every mistake with its place. The configuration
that comes out is the stored form. A new action type is one entry of ``CHECKS``; its sending is one channel of
``channels/registry.py``.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from agentauri.errors import InvalidRequest
from agentauri.models import mcp_action, rest_action, telegram_action
from agentauri.models.problems import Problems, step


class ActionType(StrEnum):
    """Through what an action reaches its receiver."""

    REST = "rest"
    TELEGRAM = "telegram"
    MCP = "mcp"


Check = Callable[[dict[str, Any], str, Problems], dict[str, Any]]
CHECKS: Final[Mapping[ActionType, Check]] = {
    ActionType.REST: rest_action.check_rest,
    ActionType.TELEGRAM: telegram_action.check_telegram,
    ActionType.MCP: mcp_action.check_mcp,
}
CONFIG_KEYS: Final[Mapping[ActionType, tuple[str, ...]]] = {
    ActionType.REST: rest_action.KEYS,
    ActionType.TELEGRAM: telegram_action.KEYS,
    ActionType.MCP: mcp_action.KEYS,
}
FALLBACK = "fallback_action_id"
SHARED_KEYS = ("retry", "rate_limit_per_second", "notify_retraction", FALLBACK)
KEYS = ("id", "action_type", "priority", "enabled", "config")

MAX_ACTIONS = 50
MAX_CONFIGS_BYTES = 128 * 1024
"""Of JSON, all actions of a trigger together: a page of a hundred triggers has to fit into an answer."""
MAX_PRIORITY = 100
MAX_ATTEMPTS = 15
MAX_RETRY_SECONDS = 3 * 24 * 3600
MAX_RATE_PER_SECOND = 1000
MASK = "••••••••"
SECRET_NAME = re.compile(
    r"auth|token|secret|password|passwd|credential|api[-_]?key|access[-_]?key|cookie|signature|private", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One checked action. ``id`` is None for a new one; ``priority`` 0 goes first among the actions of an event."""

    id: UUID | None
    action_type: ActionType
    priority: int
    enabled: bool
    config: dict[str, Any]


def parse_actions(raw: object, pointer: str = "/actions") -> tuple[ActionSpec, ...]:
    """Check a list of actions. Raises InvalidRequest with every problem of every action."""
    if not isinstance(raw, list):
        raise InvalidRequest("actions are a list.", [(pointer, "actions are a list.")])
    problems = Problems()
    if len(raw) > MAX_ACTIONS:
        problems.add(pointer, f"a trigger may have at most {MAX_ACTIONS} actions.")
    specs = [_parse(item, step(pointer, index), problems) for index, item in enumerate(raw[:MAX_ACTIONS])]
    ids = [spec.id for spec in specs if spec is not None and spec.id is not None]
    if len(set(ids)) < len(ids):
        problems.add(pointer, "two actions have the same id.")
    problems.refuse("an action is not valid")
    parsed = tuple(spec for spec in specs if spec is not None)
    _check_size(parsed, pointer)
    return parsed


def _check_size(specs: Sequence[ActionSpec], pointer: str) -> None:
    """Raise InvalidRequest where the configurations are too large together."""
    size = sum(len(json.dumps(spec.config, ensure_ascii=False).encode()) for spec in specs)
    if size > MAX_CONFIGS_BYTES:
        remedy = "shorten templates, or spread the actions over several triggers."
        detail = f"the configurations of a trigger's actions may have {MAX_CONFIGS_BYTES} bytes together; {remedy}"
        raise InvalidRequest(detail, [(pointer, detail)])


def parse_action(raw: object, pointer: str = "") -> ActionSpec:
    """Check one action. Raises InvalidRequest with every problem."""
    problems = Problems()
    spec = _parse(raw, pointer, problems)
    problems.refuse("the action is not valid")
    assert spec is not None
    return spec


def _parse(raw: object, pointer: str, problems: Problems) -> ActionSpec | None:
    """The action, or None when problems were noted; what cannot be told without the type is left."""
    if not isinstance(raw, dict):
        problems.add(pointer, "an action is an object with action_type and config.")
        return None
    before = len(problems)
    _refuse_unknown(raw, KEYS, pointer, problems)
    kind = _parse_type(raw.get("action_type"), step(pointer, "action_type"), problems)
    priority = raw.get("priority", 0)
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= MAX_PRIORITY:
        problems.add(step(pointer, "priority"), f"the priority is a whole number from 0 to {MAX_PRIORITY}.")
    enabled = raw.get("enabled", True)
    if not isinstance(enabled, bool):
        problems.add(step(pointer, "enabled"), "enabled is true or false.")
    identity = _parse_id(raw.get("id"), step(pointer, "id"), problems)
    config = _parse_config(kind, raw.get("config"), step(pointer, "config"), problems) if kind else {}
    if kind is None or len(problems) > before:
        return None
    return ActionSpec(identity, kind, priority, enabled, config)


def _refuse_unknown(raw: dict[Any, Any], known: tuple[str, ...], pointer: str, problems: Problems) -> None:
    for key in raw:
        if key not in known:
            problems.add(step(pointer, key), f"unknown; known are {', '.join(known)}.")


def _parse_type(raw: object, at: str, problems: Problems) -> ActionType | None:
    kind = {one.value: one for one in ActionType}.get(raw) if isinstance(raw, str) else None
    if kind is None:
        problems.add(at, f"the action type must be one of: {', '.join(CHECKS)}.")
    return kind


def _parse_id(raw: object, at: str, problems: Problems) -> UUID | None:
    if raw is None or isinstance(raw, UUID):
        return raw
    try:
        return UUID(raw if isinstance(raw, str) else "")
    except ValueError:
        problems.add(at, "an id is a UUID; leave it away for a new action.")
        return None


def _parse_config(kind: ActionType, raw: object, at: str, problems: Problems) -> dict[str, Any]:
    if not isinstance(raw, dict):
        problems.add(at, "the config is an object.")
        return {}
    _refuse_unknown(raw, CONFIG_KEYS[kind] + SHARED_KEYS, at, problems)
    stored = CHECKS[kind](raw, at, problems)
    for path in secret_paths(raw):
        if _at(raw, path) == MASK:
            problems.add("/".join((at, *path)), "no secret is stored here that could be kept; send its value.")
    if raw.get("retry") is not None:
        stored["retry"] = _check_retry(raw["retry"], step(at, "retry"), problems)
    rate = raw.get("rate_limit_per_second")
    if rate is not None:
        stored["rate_limit_per_second"] = rate
        if not _is_number(rate) or not 0 < rate <= MAX_RATE_PER_SECOND:
            here = step(at, "rate_limit_per_second")
            problems.add(here, f"a rate is a number of deliveries a second, above 0 and at most {MAX_RATE_PER_SECOND}.")
    notify = raw.get("notify_retraction")
    if notify is not None:
        stored["notify_retraction"] = notify
        if not isinstance(notify, bool):
            problems.add(step(at, "notify_retraction"), "notify_retraction is true or false.")
    fallback = _parse_id(raw.get(FALLBACK), step(at, FALLBACK), problems)
    if fallback is not None:
        stored[FALLBACK] = str(fallback)
    return stored


def _check_retry(retry: Any, at: str, problems: Problems) -> list[float]:
    if not isinstance(retry, list) or not 1 <= len(retry) <= MAX_ATTEMPTS:
        problems.add(at, f"retry lists the seconds to wait before each attempt, 1 to {MAX_ATTEMPTS} of them.")
        return []
    wrong = [index for index, wait in enumerate(retry) if not _is_number(wait) or wait < 0]
    for index in wrong:
        problems.add(step(at, index), "a wait is a number of seconds, 0 or more.")
    if not wrong and sum(retry) > MAX_RETRY_SECONDS:
        problems.add(at, f"all waits together may be at most {MAX_RETRY_SECONDS} seconds (3 days).")
    return list(retry)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def destination_of(organization_id: UUID, action_type: ActionType, config: dict[str, Any]) -> str:
    """What caps, rates and breakers are kept for (protocol P22): the organization's own view of one server."""
    match action_type:
        case ActionType.REST:
            return f"{organization_id} {rest_action.rest_place(config)}"
        case ActionType.TELEGRAM:
            return f"{organization_id} {telegram_action.bot_lane(config)} {telegram_action.chat_of(config)}"
        case ActionType.MCP:
            return f"{organization_id} {mcp_action.mcp_place(config) or mcp_action.PER_AGENT}"


def lane_of(action_type: ActionType, config: dict[str, Any]) -> str:
    """What one deliverer at a time looks after (protocol P22): a host or an agent's server, whoever calls, or a bot."""
    match action_type:
        case ActionType.REST:
            return f"host:{rest_action.rest_place(config).host}"
        case ActionType.TELEGRAM:
            return telegram_action.bot_lane(config)
        case ActionType.MCP:
            place = mcp_action.mcp_place(config)
            return f"host:{place.host}" if place else mcp_action.PER_AGENT


SECRET_KEYS = ("auth_token", "bot_token", rest_action.SIGNING_SECRET)
"""Members of a configuration that are secrets themselves."""


def secret_paths(config: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Where a configuration holds secrets: tokens, and headers that are named like one. They are sealed at rest."""
    headers = config.get("headers")
    names = headers if isinstance(headers, dict) else {}
    tokens = tuple((key,) for key in SECRET_KEYS if config.get(key) is not None)
    return tokens + tuple(("headers", name) for name in names if SECRET_NAME.search(name))


def map_secrets(config: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of the configuration whose secrets went through ``change``: sealed, opened, or masked."""
    copy = dict(config)
    for path in secret_paths(config):
        copy = _put(copy, path, change(_at(copy, path)))
    return copy


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as answers show it."""
    return map_secrets(config, lambda _: MASK)


def merge_masked(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``new`` as a user sent it, where each masked secret keeps its stored value; unknown ones stay masked, and are
    refused when parsed. ``old`` may be sealed or opened: its values come through as they are."""
    kept = {_folded(path): _at(old, path) for path in secret_paths(old)}
    copy = dict(new)
    for path in secret_paths(new):
        if _at(copy, path) == MASK:
            copy = _put(copy, path, kept.get(_folded(path), MASK))
    return copy


def _folded(path: tuple[str, ...]) -> tuple[str, ...]:
    """Names of headers make no difference between upper and lower case."""
    return tuple(part.lower() for part in path)


def _at(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = config
    for part in path:
        found = found[part]
    return found


def _put(config: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**config, first: _put(config[first], tuple(rest), value) if rest else value}
