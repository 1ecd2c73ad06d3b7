"""Triggers in the form in which a file's and the API's can be compared: as the API stores them. Pure.

Checks what a file says by the rules of the API itself, so that mistakes are told before anything is changed. Secrets
are masked in the form, so it may be shown.
"""

from collections.abc import Callable, Mapping
from typing import Any

from agentauri.cli.printable import printable
from agentauri.cli.trigger_file import FIELDS, START
from agentauri.errors import ConfigError, InvalidRequest
from agentauri.models.action import MASK, map_secrets, masked, parse_actions
from agentauri.models.problems import Problems
from agentauri.models.start import parse_start
from agentauri.models.trigger import TriggerFields, validate_trigger

PARTS = ("conditions", "actions")
PLACEHOLDER = "masked"
MAX_FINDINGS = 10
ANSWERED = ("id", "disabled_by", "disabled_reason", "disabled_at")
"""What answers say of an action beyond what a user does."""

Raw = dict[str, Any]


def stored_form(stored: Raw) -> Raw:
    """What the API answered, in the form to compare."""
    return form({field: stored[field] for field in FIELDS}, stored["name"])


def form(raw: Raw, name: str, *, is_new: bool = False) -> Raw:
    """A trigger as the API stores it, ids left out, secrets masked, ``enabled`` None where it is not said.

    ``is_new``: no secret is stored yet, so a masked one is refused; where it begins is looked at too.
    """
    problems = Problems()
    problems.check_keys("", raw, (*FIELDS, START))
    fields = _checked(problems, lambda: validate_trigger(raw))
    if is_new and fields is not None:
        _checked(problems, lambda: parse_start(raw.get(START), fields))
    actions = _checked(problems, lambda: _canonical_actions(raw.get("actions"), is_new=is_new))
    if len(problems) or fields is None or actions is None:
        _refuse(name, problems)
        raise AssertionError("what was refused raised")
    shown = {field: getattr(fields, field) for field in FIELDS if field not in PARTS}
    return {
        **{field: getattr(value, "value", value) for field, value in shown.items()},
        "enabled": raw.get("enabled"),
        "conditions": _wire(fields),
        "actions": actions,
    }


def _checked(problems: Problems, work: Callable[[], Any]) -> Any:
    try:
        return work()
    except InvalidRequest as error:
        for pointer, detail in error.problems:
            problems.add(pointer, detail)
        return None


def _refuse(name: str, problems: Problems) -> None:
    try:
        problems.refuse("")
    except InvalidRequest as error:
        found = [f"{pointer} {detail}".rstrip(".") for pointer, detail in error.problems]
        text = "; ".join(found[:MAX_FINDINGS])
        raise ConfigError(printable(f"trigger {name!r} is not valid: {text}.", 2000)) from None


def _wire(fields: TriggerFields) -> list[Raw]:
    return [_without_ids(condition.wire()) for condition in fields.conditions]


def _without_ids(condition: Mapping[str, Any]) -> Raw:
    shown = {key: value for key, value in condition.items() if key != "id"}
    if isinstance(inner := shown["config"].get("conditions"), list):
        shown["config"] = {**shown["config"], "conditions": [_without_ids(one) for one in inner]}
    return shown


def _canonical_actions(raw: Any, *, is_new: bool) -> list[Raw]:
    written = [_to_check(one, is_new=is_new) for one in raw] if isinstance(raw, list) else raw or []
    specs = parse_actions(written)
    return [
        {
            "action_type": spec.action_type.value,
            "priority": spec.priority,
            "enabled": one.get("enabled"),
            "config": masked(spec.config),
        }
        for spec, one in zip(specs, written, strict=True)
    ]


def _to_check(action: Any, *, is_new: bool) -> Any:
    """An action as the check takes it: a masked secret of one that is stored passes."""
    if not isinstance(action, dict) or not isinstance(action.get("config"), dict):
        return action
    shown = {key: value for key, value in action.items() if key not in ANSWERED}
    if not is_new:
        shown["config"] = map_secrets(shown["config"], lambda value: PLACEHOLDER if value == MASK else value)
    return shown


def has_secret(config: Any) -> bool:
    """Whether a configuration of a file spells a secret out."""
    values: list[Any] = []
    map_secrets(config or {}, values.append)
    return any(value != MASK for value in values)


def with_enabled(action: Raw, same: Raw | None) -> Raw:
    """An action that says whether it is on: where the file does not, as the same one is now."""
    if action["enabled"] is not None:
        return action
    return {**action, "enabled": True if same is None else same["enabled"]}


def shown(canonical: Raw) -> Raw:
    """A trigger to be looked at."""
    enabled = True if canonical["enabled"] is None else canonical["enabled"]
    actions = [with_enabled(one, None) for one in canonical["actions"]]
    return {**canonical, "enabled": enabled, "actions": actions}
