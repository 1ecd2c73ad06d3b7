"""How the listener reaches an evaluator through Ray, and an evaluator the deliverers.

A small page travels in the call; a larger one is put into the object store once for all evaluators.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import ray
from ray.exceptions import RayError

from agentauri.actors import handles
from agentauri.actors.messages import Away, Progress
from agentauri.actors.pages import Shared
from agentauri.actors.runtime import NAMESPACE

INLINE_BYTES = 90_000
"""Ray carries arguments below 100 KB inside the call."""
PROGRESS_SECONDS = 120.0
"""An evaluator answers when its state is loaded."""
LOOK_SECONDS = 2.0
"""How soon a new deliverer is rung, too; until then its own timer serves it."""
BATCH_SECONDS = 300.0
"""A batch waits while the database is away; past this the evaluator is asked anew, which changes nothing."""


class EvaluatorRay:
    """One evaluator by name; finds it anew after every failure."""

    def __init__(self, name: str, namespace: str) -> None:
        self._name = name
        self._namespace = namespace
        self._handle: Any = None

    async def progress(self) -> Progress:
        """How far it is. Raises Away."""
        return await self._call("progress", PROGRESS_SECONDS)

    async def batch(self, page: Shared) -> Progress:
        """Have it work off a page. Raises Away."""
        if page.reference is None:
            small = len(page.page.rows) < INLINE_BYTES
            page.reference = page.page if small else ray.put(page.page)
        return await self._call("batch", BATCH_SECONDS, page.reference)

    async def _call(self, method: str, seconds: float, *args: Any) -> Progress:
        if self._handle is None:
            self._handle = await asyncio.to_thread(handles.find, self._name, self._namespace)
        if self._handle is None:
            raise Away(f"{self._name} does not exist yet")
        try:
            answer: Progress = await handles.call(self._handle, method, *args, seconds=seconds)
        except (RayError, TimeoutError) as error:
            self._handle = None
            raise Away(f"{self._name}: {type(error).__name__}") from error
        return answer


def evaluator_port(namespace: str = NAMESPACE) -> Callable[[int], EvaluatorRay]:
    """Ports to the evaluators of a namespace."""
    return lambda index: EvaluatorRay(handles.evaluator_name(index), namespace)


def deliverers_bell(count: int, namespace: str = NAMESPACE) -> Callable[[Sequence[str]], Awaitable[None]]:
    """Rings every deliverer that exists; at most ``count`` of them do. Those that are missing are looked for seldom."""
    names = [handles.deliverer_name(index) for index in range(count)]
    known: dict[str, Any] = {}
    look_at = 0.0

    async def ring(lanes: Sequence[str]) -> None:
        nonlocal look_at
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + LOOK_SECONDS
            found = await asyncio.to_thread(lambda: {name: handles.find(name, namespace) for name in names})
            known.update((name, handle) for name, handle in found.items() if handle is not None)
        for handle in known.values():
            handle.ring.remote(list(lanes))

    return ring
