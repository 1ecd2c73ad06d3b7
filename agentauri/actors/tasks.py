"""Background tasks that cannot die unnoticed.

An asyncio task that ends with an exception leaves its actor alive and silent. Every background task goes through
``spawn``: it is named, its end is logged, and when it was meant to be eternal its end ends the process, so that
Ray restarts the actor.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

from agentauri import logs

log = logs.get("tasks")
_alive: set[asyncio.Task[Any]] = set()

EXIT_AFTER_DEAD_TASK = 70
CANCEL_AGAIN_SECONDS = 1.0


def exit_process() -> None:
    """End this process at once; Ray brings the actor back with a fresh one."""
    os._exit(EXIT_AFTER_DEAD_TASK)


def spawn(
    work: Coroutine[Any, Any, Any], *, name: str, eternal: bool = False, give_up: Callable[[], None] | None = None
) -> asyncio.Task[Any]:
    """Run ``work`` in the background. ``eternal``: any end but cancellation calls ``give_up`` (ends the process)."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _alive.add(task)

    def ended(done: asyncio.Task[Any]) -> None:
        _alive.discard(done)
        if done.cancelled():
            log.debug("task_cancelled", task=name)
            return
        error = done.exception()
        if error is not None:
            log.error("task_failed", task=name, error=repr(error), exc_info=error)
        elif eternal:
            log.error("eternal_task_ended", task=name)
        if eternal:
            (give_up or exit_process)()

    task.add_done_callback(ended)
    return task


async def cancel(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until each has ended; what they raised while ending was logged by ``spawn``.

    One that lost its cancellation on the way (libraries do) is cancelled again.
    """
    running = {task for task in tasks if task is not None and not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
