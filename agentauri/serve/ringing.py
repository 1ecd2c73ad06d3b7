"""Tells deliverers that something became due, after the commit that made it so.

A hint that no answer waits for: a deliverer that does not hear it looks by its own timer within a second.
"""

from collections.abc import Collection

from agentauri.actors import handles
from agentauri.actors.tasks import spawn


def ring_deliverers(lanes: Collection[str]) -> None:
    """Wake the deliverers for these lanes, in the background."""
    if lanes:
        spawn(handles.ring_deliverers(list(lanes)), name="ring deliverers")
