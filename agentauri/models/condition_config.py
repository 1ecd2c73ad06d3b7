"""The ``config`` of conditions: what a type may say beyond field, operator and value, and what these configs share.

A member that was never set stays unset, so that an answer shows what was sent; the properties give what then holds.
Unknown members are refused, because a misspelt option that is ignored is worse than an error.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from agentauri.models.fields import GROUP_FIELDS
from agentauri.models.problems import Problems
from agentauri.models.values import parse_boolean

T = TypeVar("T")

MAX_WINDOW_SECONDS = 366 * 86_400
MAX_GROUP_FIELDS = 3
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
TIME_WINDOW = re.compile(r"([0-9]{1,9})([smhd])")

GroupBy = tuple[str, ...]
"""Fields whose values make the group; () is one state over all."""

DEFAULT_GROUP_BY: GroupBy = ("agent_id",)


def wire_group_by(group_by: GroupBy) -> object:
    """As it is written: none, a name, or a list of names."""
    return "none" if not group_by else group_by[0] if len(group_by) == 1 else list(group_by)


def only_set(**members: object) -> dict[str, object]:
    """The members that were set."""
    return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Of comparisons with an event's field."""

    ignore_case: bool | None = None

    def wire(self) -> dict[str, object]:
        """As JSON."""
        return only_set(ignore_case=self.ignore_case)


NO_OPTIONS = TextConfig()


class Members:
    """Reads the members of one config object, noting what is wrong at each one's own place."""

    def __init__(self, raw: Mapping[object, object], pointer: str, problems: Problems) -> None:
        self.raw, self.pointer, self.problems = raw, pointer, problems

    def take(self, name: str, parser: Callable[[object], T]) -> T | None:
        """The member, None where it is absent, null or refused."""
        raw = self.raw.get(name)
        return None if raw is None else self.problems.check(f"{self.pointer}/{name}", parser, raw)


def parse_text_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> TextConfig:
    """``ignore_case``."""
    problems.check_keys(pointer, raw, ("ignore_case",))
    return TextConfig(Members(raw, pointer, problems).take("ignore_case", parse_boolean))


def parse_no_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> TextConfig:
    """Of the types that have no options."""
    problems.check_keys(pointer, raw, ())
    return TextConfig()


def parse_time_window(raw: object) -> int:
    """Seconds of a length such as 30s, 5m, 1h or 7d."""
    match = TIME_WINDOW.fullmatch(raw.strip()) if isinstance(raw, str) else None
    seconds = int(match[1]) * UNIT_SECONDS[match[2]] if match else 0
    if not 1 <= seconds <= MAX_WINDOW_SECONDS:
        raise ValueError('must be a length of 1s to 366d, such as "30s", "5m", "1h" or "7d"')
    return seconds


def parse_group_by(raw: object) -> GroupBy:
    """A field's name, a list of up to three, or none."""
    if raw == "none":
        return ()
    names = raw if isinstance(raw, list) else [raw]
    if not 1 <= len(names) <= MAX_GROUP_FIELDS or not all(name in GROUP_FIELDS for name in names):
        raise ValueError(f"must be none, one of {', '.join(GROUP_FIELDS)}, or a list of up to three of these")
    if len(set(names)) < len(names):
        raise ValueError("must not name a field twice")
    return tuple(names)
