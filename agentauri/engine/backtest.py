"""What a trigger would have done with a stretch of events, from no state: counts, firings by day, the first matches.

Pure and bounded: whatever the length of the stretch, MOST_MATCHES are kept. An error of the trigger on an event is
counted and costs that event alone (protocol P4).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agentauri.engine.evaluator import PartitionEvaluator
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
                found.matched += 1
                if firing.cooled_down:
                    found.cooled_down += 1
                    continue
                found.fired += 1
                found.days[event.block_timestamp // DAY_SECONDS] += 1
                if len(found.matches) < MOST_MATCHES:
                    match = {"event": event.public(), "group": firing.group, "computed": firing.computed}
                    found.matches.append(match)
        self._evaluator.take_changes()

    def take_error(self) -> str | None:
        """The latest error of the trigger since this was last asked."""
        failures = self._evaluator.take_failures()
        return failures[-1].error if failures else None
