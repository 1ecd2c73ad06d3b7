"""The ``config`` of conditions: what each type may say beyond field, operator and value.

A member that was never set stays unset, so that an answer shows what was sent; the properties give what then holds.
Unknown members are refused, because a misspelt option that is ignored is worse than an error.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from agentauri.models.fields import GROUP_FIELDS
from agentauri.models.problems import Problems
from agentauri.models.values import parse_boolean, parse_integer, parse_number

T = TypeVar("T")

MAX_SAMPLES = 1_000_000
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


def _set(**members: object) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class TextConfig:
    """Of comparisons with an event's field."""

    ignore_case: bool | None = None

    def wire(self) -> dict[str, object]:
        """As JSON."""
        return _set(ignore_case=self.ignore_case)


NO_OPTIONS = TextConfig()


@dataclass(frozen=True, slots=True)
class EmaConfig:
    """Of ema_threshold: ``window_size`` or ``alpha`` is set; ``alpha`` wins."""

    window_size: int | None = None
    alpha: float | None = None
    min_samples: int | None = None
    group_by: GroupBy | None = None

    @property
    def factor(self) -> float:
        """The weight of the newest value, in (0, 1]."""
        return self.alpha if self.alpha is not None else 2 / ((self.window_size or 1) + 1)

    def wire(self) -> dict[str, object]:
        """As JSON."""
        group_by = None if self.group_by is None else wire_group_by(self.group_by)
        return _set(window_size=self.window_size, alpha=self.alpha, min_samples=self.min_samples, group_by=group_by)


@dataclass(frozen=True, slots=True)
class RateConfig:
    """Of rate_limit: the window as written, its length, and whether a firing empties it."""

    time_window: str
    window_seconds: int
    reset_on_trigger: bool | None = None
    group_by: GroupBy | None = None

    def wire(self) -> dict[str, object]:
        """As JSON."""
        group_by = None if self.group_by is None else wire_group_by(self.group_by)
        return _set(time_window=self.time_window, reset_on_trigger=self.reset_on_trigger, group_by=group_by)


class _Members:
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
    return TextConfig(_Members(raw, pointer, problems).take("ignore_case", parse_boolean))


def parse_no_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> TextConfig:
    """Of the types that have no options."""
    problems.check_keys(pointer, raw, ())
    return TextConfig()


def parse_ema_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> EmaConfig:
    """``window_size`` or ``alpha``, ``min_samples``, ``group_by``."""
    problems.check_keys(pointer, raw, ("window_size", "alpha", "min_samples", "group_by"))
    if raw.get("window_size") is None and raw.get("alpha") is None:
        problems.add(f"{pointer}/window_size", "is missing; give window_size (a count) or alpha (in (0, 1])")
    members = _Members(raw, pointer, problems)
    return EmaConfig(
        window_size=members.take("window_size", _samples),
        alpha=members.take("alpha", _alpha),
        min_samples=members.take("min_samples", _samples),
        group_by=members.take("group_by", parse_group_by),
    )


def load_ema_config(stored: Mapping[str, Any]) -> EmaConfig:
    """From what ``EmaConfig.wire`` gave. Raises ValueError or TypeError where it is not that form."""
    members = {**stored}
    group_by, alpha = members.pop("group_by", None), members.pop("alpha", None)
    return EmaConfig(
        **members,
        alpha=None if alpha is None else float(alpha),
        group_by=None if group_by is None else parse_group_by(group_by),
    )


def load_rate_config(stored: Mapping[str, Any]) -> RateConfig:
    """From what ``RateConfig.wire`` gave. Raises KeyError, ValueError or TypeError where it is not that form."""
    members = {**stored}
    group_by = members.pop("group_by", None)
    return RateConfig(
        **members,
        window_seconds=parse_time_window(stored["time_window"]),
        group_by=None if group_by is None else parse_group_by(group_by),
    )


def parse_rate_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> RateConfig:
    """``time_window``, ``reset_on_trigger``, ``group_by``."""
    problems.check_keys(pointer, raw, ("time_window", "reset_on_trigger", "group_by"))
    if raw.get("time_window") is None:
        problems.add(f"{pointer}/time_window", 'is missing; give a length such as "30s", "5m", "1h" or "7d"')
    members = _Members(raw, pointer, problems)
    seconds = members.take("time_window", parse_time_window)
    return RateConfig(
        time_window=str(raw.get("time_window")).strip() if seconds else "",
        window_seconds=seconds or 0,
        reset_on_trigger=members.take("reset_on_trigger", parse_boolean),
        group_by=members.take("group_by", parse_group_by),
    )


def _samples(raw: object) -> int:
    return parse_integer(raw, 1, MAX_SAMPLES)


def _alpha(raw: object) -> float:
    alpha = float(parse_number(raw))
    if not 0 < alpha <= 1:
        raise ValueError("must be above 0 and at most 1")
    return alpha


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
