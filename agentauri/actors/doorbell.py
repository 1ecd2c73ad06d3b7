"""The doorbell between evaluators and deliverers: an actor call that says which lanes have something due (P3).

A hint only: a lost ring costs a deliverer's timer, never a delivery. Rings while one is under way are joined.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agentauri.actors import tasks


class Doorbell:
    """Rings without making the caller wait. ``ringable`` wakes deliverers for a list of lanes; None: nobody hears."""

    def __init__(self, ringable: Callable[[Sequence[str]], Awaitable[None]] | None = None) -> None:
        self._ringable = ringable
        self._lanes: set[str] = set()
        self._task: asyncio.Task[Any] | None = None

    def ring(self, lanes: set[str]) -> None:
        """Something became due in ``lanes``."""
        if not lanes or self._ringable is None:
            return
        self._lanes |= lanes
        if self._task is None or self._task.done():
            self._task = tasks.spawn(self._run(), name="doorbell")

    async def _run(self) -> None:
        while self._lanes and self._ringable is not None:
            lanes, self._lanes = sorted(self._lanes), set()
            await self._ringable(lanes)
