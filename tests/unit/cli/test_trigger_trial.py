"""Firings as a line of bars, and ranges as they are sent."""

from datetime import date, timedelta

import pytest

from agentauri.cli.trigger_trial import MOST_BARS, Range, sparkline
from agentauri.errors import ConfigError

FIRST = date(2026, 9, 21)


def test_days_are_bars_up_to_the_highest_and_gaps_are_seen() -> None:
    days = {FIRST: 1, FIRST + timedelta(days=2): 80, FIRST + timedelta(days=3): 40}
    assert sparkline(days) == "▁ █▄"


def test_one_day_is_one_bar() -> None:
    assert sparkline({FIRST: 3}) == "█"


def test_many_days_share_bars_and_none_is_lost() -> None:
    days = {FIRST + timedelta(days=day): 1 for day in (0, 364)}
    line = sparkline(days)
    assert len(line) <= MOST_BARS
    assert (line[0], line[-1], line.count("█")) == ("█", "█", 2)


def test_number_of_events_is_told_from_a_time() -> None:
    assert Range(last="1000").body() == {"last": 1000}
    assert Range(last="30d").body() == {"last": "30d"}
    assert Range(since="2026-01-01T00:00:00Z", until="2026-02-01T00:00:00Z").body() == {
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-02-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    "given", [Range(), Range(last="30d", event="x"), Range(from_block=1, until="2026-01-01T00:00:00Z")]
)
def test_no_range_and_several_are_refused_with_what_to_give(given: Range) -> None:
    with pytest.raises(ConfigError, match="--last"):
        given.body()
