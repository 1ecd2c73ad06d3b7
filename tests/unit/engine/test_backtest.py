"""A trigger over a stretch of events: counts, days, and what is kept of matches."""

from typing import Any

import pytest

from agentauri.engine import backtest as module
from agentauri.engine.backtest import Backtest
from tests.unit.engine.making import START, below, definition, ema, score

DAY = 86_400
ABSENCE = {"condition_type": "absence", "config": {"time_window": "1h"}}


def run(made: Any, *events: Any) -> Backtest:
    backtest = Backtest(made)
    backtest.meet(events)
    return backtest


def test_firings_are_counted_by_day_and_silenced_ones_apart() -> None:
    made = definition(below(60), cooldown_seconds=100)
    found = run(made, *(score(10, seq, time=time) for seq, time in enumerate((0, 50, 200, DAY), 1))).found
    assert (found.evaluated, found.matched, found.cooled_down, found.fired) == (4, 4, 1, 3)
    assert dict(found.days) == {START // DAY: 2, (START + DAY) // DAY: 1}


def test_state_begins_empty() -> None:
    found = run(definition(ema("<", 70)), score(60, 1), score(90, 2)).found
    assert [match["computed"] for match in found.matches] == [{"0": {"ema": 60.0}}]


def test_so_many_matches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MATCHES", 3)
    found = run(definition(below(60)), *(score(10, seq) for seq in range(1, 9))).found
    assert ([match["event"]["seq"] for match in found.matches], found.fired) == ([1, 2, 3], 8)


def test_p20_absence_fires_by_the_next_event_or_at_the_end_and_is_about_the_last_one() -> None:
    backtest = run(definition(ABSENCE), score(10, 1), score(10, 2, time=2 * 3600))
    assert [match["event"]["seq"] for match in backtest.found.matches] == [1]
    backtest.end({84532: START + 3 * 3600 - 1})
    assert backtest.found.fired == 1
    backtest.end({84532: START + 3 * 3600, 5: START + DAY})
    assert [match["event"]["seq"] for match in backtest.found.matches] == [1, 2]
    assert sum(backtest.found.days.values()) == backtest.found.fired == 2
