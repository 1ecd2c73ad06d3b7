"""The collector of processes that hold much."""

import gc

from agentauri import collector


def test_what_is_there_is_left_alone_and_what_comes_is_looked_at_seldom() -> None:
    before = gc.get_threshold()
    try:
        collector.spare()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() == collector.THRESHOLDS
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
