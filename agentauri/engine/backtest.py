"""What a trigger would have done with a stretch of events, from no state: counts, firings by day, the first matches.

Pure and bounded: whatever the length of the stretch, MOST_MATCHES are kept. An error of the trigger on an event is
counted and costs that event alone (protocol P4).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from agentauri.engine.evaluator import PartitionEvaluator
from agentauri.engine.plan import Firing
from agentauri.models.event import Event
from agentauri.models.trigger import TriggerDefinition

MOST_MATCHES = 100
DAY_SECONDS = 86_400
PARTITION = 0


@dataclass(slots=True)
class Found:
    """What was found so far. ``days`` counts firings by day since 1970; ``matches`` are the first that fired."""

    evaluated: int = 0
    matched: int = 0
    cooled_down: int = 0
    fired: int = 0
    days: Counter[int] = field(default_factory=Counter)
    matches: list[dict[str, Any]] = field(default_factory=list)


class Backtest:
    """One trigger over one stretch, in order."""

    def __init__(self, definition: TriggerDefinition) -> None:
        self.found = Found()
        self._evaluator = PartitionEvaluator()
        self._evaluator.apply_version(definition.id, PARTITION, definition.to_json())

    def meet(self, events: Iterable[Event]) -> None:
        """Take in the next events of the stretch."""
        found, evaluate = self.found, self._evaluator.evaluate
        for event in events:
            found.evaluated += 1
            for firing in evaluate(event):
                self._take(firing, event)
        self._evaluator.take_changes()

    def end(self, times: Mapping[int, int]) -> None:
        """The stretch is over at these times, by chain: absences that are due by then fire without an event."""
        for chain_id, time in times.items():
            for firing in self._evaluator.tick(chain_id, time, [PARTITION]):
                self._take(firing, None)

    def _take(self, firing: Firing, event: Event | None) -> None:
        """Count a firing, and keep it while there is room. An absence is about the last event before it."""
        found, silence = self.found, firing.silence
        found.matched += 1
        if firing.cooled_down:
            found.cooled_down += 1
            return
        found.fired += 1
        time = silence.due if silence is not None else _of(event).block_timestamp
        found.days[time // DAY_SECONDS] += 1
        if len(found.matches) < MOST_MATCHES:
            about = orjson.loads(silence.event) if silence is not None else _of(event).storable()
            found.matches.append({"event": about, "group": firing.group, "computed": firing.computed})

    def take_error(self) -> str | None:
        """The latest error of the trigger since this was last asked."""
        failures = self._evaluator.take_failures()
        return failures[-1].error if failures else None


def _of(event: Event | None) -> Event:
    """The event of a firing that is no absence: there always is one."""
    if event is None:
        raise ValueError("only absences fire without an event")
    return event
