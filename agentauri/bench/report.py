"""The one form of every bench's result: cases with their spread, bar and parameters.

A case's value is the median of its runs. ``met`` is None where no bar is set. Figures are whole-path figures of this
machine; compare them only within one run.
"""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One figure: ``runs`` values in ``unit``; ``bar`` is to be reached, or not to be passed where lower is better."""

    name: str
    unit: str
    values: Sequence[float]
    bar: float | None = None
    lower_is_better: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median passes the bar."""
        if self.bar is None:
            return None
        return self.value <= self.bar if self.lower_is_better else self.value >= self.bar

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "min": round(min(self.values), 3),
            "max": round(max(self.values), 3),
            "runs": len(self.values),
            "bar": self.bar,
            "met": self.met,
            "parameters": self.parameters,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All cases of a bench."""

    bench: str
    cases: Sequence[Case]

    def to_json(self) -> dict[str, Any]:
        """As JSON, with the machine that it ran on."""
        machine = {
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "python": platform.python_version(),
        }
        return {"bench": self.bench, "machine": machine, "cases": [case.to_json() for case in self.cases]}
