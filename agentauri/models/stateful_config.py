"""The ``config`` of stateful conditions: windows, weights and groups.

``window_seconds`` is what a written ``time_window`` comes to; it is not on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
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

MAX_LAST_N = 1_000
"""Events that an aggregate can look at one by one; it is refused rather than quietly looking at fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulConfig:
    """What all of them share: the group that state is kept by; None where it was not said."""

    group_by: GroupBy | None = None

    def wire(self) -> dict[str, object]:
        """As JSON."""
        return only_set(group_by=None if self.group_by is None else wire_group_by(self.group_by))


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaConfig(StatefulConfig):
    """Of ema_threshold: ``window_size`` or ``alpha`` is set; ``alpha`` wins."""

    window_size: int | None = None
    alpha: float | None = None
    min_samples: int | None = None

    @property
    def factor(self) -> float:
        """The weight of the newest value, in (0, 1]."""
        return self.alpha if self.alpha is not None else 2 / ((self.window_size or 1) + 1)

    def wire(self) -> dict[str, object]:
        """As JSON."""
        own = only_set(window_size=self.window_size, alpha=self.alpha, min_samples=self.min_samples)
        return own | StatefulConfig.wire(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateConfig(StatefulConfig):
    """Of rate_limit: the window, and whether a firing empties it."""

    time_window: str
    window_seconds: int
    reset_on_trigger: bool | None = None

    def wire(self) -> dict[str, object]:
        """As JSON."""
        own = only_set(time_window=self.time_window, reset_on_trigger=self.reset_on_trigger)
        return own | StatefulConfig.wire(self)


class Function(StrEnum):
    """What a window is aggregated to."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    STDDEV = "stddev"
    DISTINCT = "distinct"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"


OF_ANY_FIELD = frozenset({Function.COUNT, Function.DISTINCT})
"""Functions that need no numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateConfig(StatefulConfig):
    """Of window_aggregate: ``time_window`` with its ``window_seconds``, or ``last_n``."""

    function: Function
    time_window: str | None = None
    window_seconds: int | None = None
    last_n: int | None = None
    min_samples: int | None = None

    @property
    def most(self) -> int:
        """Samples that there can be: only count and sum go on beyond those that are kept one by one."""
        if self.last_n is not None:
            return self.last_n
        return MAX_SAMPLES if self.function in (Function.COUNT, Function.SUM) else MAX_LAST_N

    def wire(self) -> dict[str, object]:
        """As JSON."""
        own = only_set(
            function=self.function.value,
            time_window=self.time_window,
            last_n=self.last_n,
            min_samples=self.min_samples,
        )
        return own | StatefulConfig.wire(self)


class ChangeMode(StrEnum):
    """How a change is measured: new − previous, or that in percent of the previous value's size."""

    DELTA = "delta"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConfig(StatefulConfig):
    """Of change; crossing a value does not ask for the mode."""

    mode: ChangeMode | None = None

    def wire(self) -> dict[str, object]:
        """As JSON."""
        return only_set(mode=None if self.mode is None else self.mode.value) | StatefulConfig.wire(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsenceConfig(StatefulConfig):
    """Of absence: how long nothing has to come."""

    time_window: str
    window_seconds: int

    def wire(self) -> dict[str, object]:
        """As JSON."""
        return only_set(time_window=self.time_window) | StatefulConfig.wire(self)


# -- as written -------------------------------------------------------------------------------------------------------


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


def parse_rate_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> RateConfig:
    """``time_window``, ``reset_on_trigger``, ``group_by``."""
    problems.check_keys(pointer, raw, ("time_window", "reset_on_trigger", "group_by"))
    members = Members(raw, pointer, problems)
    text, seconds = _window(members)
    return RateConfig(
        time_window=text,
        window_seconds=seconds,
        reset_on_trigger=members.take("reset_on_trigger", parse_boolean),
        group_by=members.take("group_by", parse_group_by),
    )


def parse_aggregate_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> AggregateConfig:
    """``function``, ``time_window`` or ``last_n``, ``min_samples``, ``group_by``."""
    problems.check_keys(pointer, raw, ("function", "time_window", "last_n", "min_samples", "group_by"))
    members = Members(raw, pointer, problems)
    function = problems.check(f"{pointer}/function", _function, raw.get("function"))
    by_count, by_time = raw.get("last_n") is not None, raw.get("time_window") is not None
    if by_count and by_time:
        problems.add(f"{pointer}/last_n", "must not stand beside time_window; a window has one of them")
    text, seconds = (None, None) if by_count else _window(members, 'a length such as "1h", or last_n')
    config = AggregateConfig(
        function=function or Function.COUNT,
        time_window=text,
        window_seconds=seconds,
        last_n=members.take("last_n", lambda one: parse_integer(one, 1, MAX_LAST_N)),
        min_samples=members.take("min_samples", _samples),
        group_by=members.take("group_by", parse_group_by),
    )
    if (config.min_samples or 1) > config.most:
        problems.add(f"{pointer}/min_samples", f"must be at most {config.most}, or it would never be reached")
    return config


def parse_change_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> ChangeConfig:
    """``mode``, ``group_by``."""
    problems.check_keys(pointer, raw, ("mode", "group_by"))
    members = Members(raw, pointer, problems)
    return ChangeConfig(mode=members.take("mode", _mode), group_by=members.take("group_by", parse_group_by))


def parse_absence_config(raw: Mapping[object, object], pointer: str, problems: Problems) -> AbsenceConfig:
    """``time_window``, ``group_by``."""
    problems.check_keys(pointer, raw, ("time_window", "group_by"))
    members = Members(raw, pointer, problems)
    text, seconds = _window(members)
    return AbsenceConfig(time_window=text, window_seconds=seconds, group_by=members.take("group_by", parse_group_by))


def _window(members: Members, what: str = 'a length such as "30s", "5m", "1h" or "7d"') -> tuple[str, int]:
    """The window as written and in seconds; where it is missing or wrong, that is noted."""
    raw = members.raw.get("time_window")
    if raw is None:
        members.problems.add(f"{members.pointer}/time_window", f"is missing; give {what}")
    seconds = members.take("time_window", parse_time_window)
    return (str(raw).strip(), seconds) if seconds else ("", 0)


def _samples(raw: object) -> int:
    return parse_integer(raw, 1, MAX_SAMPLES)


def _alpha(raw: object) -> float:
    alpha = float(parse_number(raw))
    if not 0 < alpha <= 1:
        raise ValueError("must be above 0 and at most 1")
    return alpha


def _function(raw: object) -> Function:
    if not isinstance(raw, str) or raw not in tuple(Function):
        raise ValueError(f"must be one of {', '.join(Function)}")
    return Function(raw)


def _mode(raw: object) -> ChangeMode:
    if not isinstance(raw, str) or raw not in tuple(ChangeMode):
        raise ValueError("must be delta or percent")
    return ChangeMode(raw)


# -- as stored --------------------------------------------------------------------------------------------------------


def _members(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a stored config as the classes take them. Raises ValueError or TypeError where they are not."""
    members = {**stored}
    if "group_by" in members:
        members["group_by"] = parse_group_by(members["group_by"])
    if "time_window" in members:
        members["window_seconds"] = parse_time_window(members["time_window"])
    return members


def load_ema_config(stored: Mapping[str, Any]) -> EmaConfig:
    """From what ``wire`` gave; as the others, raises KeyError, ValueError or TypeError where it is not that form."""
    members = _members(stored)
    alpha = members.pop("alpha", None)
    return EmaConfig(**members, alpha=None if alpha is None else float(alpha))


def load_rate_config(stored: Mapping[str, Any]) -> RateConfig:
    """From what ``wire`` gave."""
    return RateConfig(**_members(stored))


def load_aggregate_config(stored: Mapping[str, Any]) -> AggregateConfig:
    """From what ``wire`` gave."""
    members = _members(stored)
    return AggregateConfig(**members | {"function": Function(members["function"])})


def load_change_config(stored: Mapping[str, Any]) -> ChangeConfig:
    """From what ``wire`` gave."""
    members = _members(stored)
    mode = members.pop("mode", None)
    return ChangeConfig(**members, mode=None if mode is None else ChangeMode(mode))


def load_absence_config(stored: Mapping[str, Any]) -> AbsenceConfig:
    """From what ``wire`` gave."""
    return AbsenceConfig(**_members(stored))
