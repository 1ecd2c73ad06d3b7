"""Windows of rates: exact at first, in buckets beyond a thousand entries, and never larger than their bound."""

from bisect import bisect_right

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.engine.state import Average
from agentauri.engine.window import RATE_BUCKETS, RATE_ENTRIES, Window

HOUR = 3600


@given(st.lists(st.integers(0, 500), max_size=200), st.sampled_from([1, 10, 60, 300]))
def test_window_of_few_events_is_exact_in_any_order(times: list[int], length: int) -> None:
    window, seen = Window(), []
    for time in times:
        seen.append(time)
        edge = max(seen) - length
        assert window.add(time, length) == sum(one > edge for one in seen)


@pytest.mark.parametrize("length", [60, 256])
def test_window_up_to_256_seconds_is_exact_at_any_number(length: int) -> None:
    window, times = Window(), [second for second in range(600) for _ in range(20)]
    for place, time in enumerate(times):
        assert window.add(time, length) == place + 1 - bisect_right(times, time - length, hi=place + 1)


def test_long_window_counts_within_one_bucket_and_stays_bounded() -> None:
    window, times = Window(), [second for second in range(3 * HOUR) for _ in range(3)]
    bucket = 3 * HOUR // RATE_BUCKETS + 3
    for place, time in enumerate(times):
        count = window.add(time, HOUR)
        exact = place + 1 - bisect_right(times, time - HOUR, hi=place + 1)
        assert exact <= count <= exact + bucket
        assert len(window.times) <= RATE_ENTRIES
        assert len(window.buckets) <= RATE_BUCKETS + 1


def test_late_event_falls_into_its_bucket() -> None:
    window = Window()
    for time in range(3000):
        window.add(time, HOUR)
    buckets = len(window.buckets)
    assert window.add(5, HOUR) == 3001
    assert (len(window.times), len(window.buckets)) == (RATE_ENTRIES, buckets)


def test_jump_ahead_empties_times_and_buckets() -> None:
    window = Window()
    for time in range(3000):
        window.add(time, HOUR)
    assert window.add(100_000, HOUR) == 1
    assert (window.times, window.buckets, window.older) == ([100_000], [], 0)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=50))
def test_loaded_window_goes_on_as_the_dumped_one(times: list[int]) -> None:
    window = Window()
    for time in range(2000):
        window.add(time, 1000)
    loaded = Window.load(orjson.loads(orjson.dumps(window.dump())))
    assert [window.add(time, 1000) for time in times] == [loaded.add(time, 1000) for time in times]
    assert window.dump() == loaded.dump()


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 10**6))
def test_average_is_the_same_double_after_store_and_load(value: float, samples: int) -> None:
    loaded = Average.load(orjson.loads(orjson.dumps(Average(value, samples).dump())))
    assert (loaded.value, loaded.samples) == (value, samples)
