"""The ``config`` of stateful conditions: windows, weights and groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentauri.models.condition_config import (
    GroupBy,
    Members,
    only_set,
    parse_group_by,
    parse_time_window,
    wire_group_by,
)
from agentauri.models.problems import Problems
from agentauri.models.values import parse_boolean, parse_integer, parse_number

MAX_SAMPLES = 1_000_000


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
        return only_set(window_size=self.window_size, alpha=self.alpha, min_samples=self.min_samples, group_by=group_by)


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
        return only_set(time_window=self.time_window, reset_on_trigger=self.reset_on_trigger, group_by=group_by)


def parse_ema_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> EmaConfig:
    """``window_size`` or ``alpha``, ``min_samples``, ``group_by``."""
    problems.check_keys(pointer, raw, ("window_size", "alpha", "min_samples", "group_by"))
    if raw.get("window_size") is None and raw.get("alpha") is None:
        problems.add(f"{pointer}/window_size", "is missing; give window_size (a count) or alpha (in (0, 1])")
    members = Members(raw, pointer, problems)
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
    members = Members(raw, pointer, problems)
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
