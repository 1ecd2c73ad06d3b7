"""The garbage collector of processes that hold much and make much.

Most of what they hold lives as long as they do and refers to itself (triggers, the application's routes), so that every
full collection walks through all of it; most of what they make goes by itself, without cycles.
"""

import gc

THRESHOLDS = (50_000, 20, 100)
"""A page of events, or a few dozen requests, make tens of thousands of objects."""


def spare() -> None:
    """Leave alone what is there now, and look seldom at what comes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
