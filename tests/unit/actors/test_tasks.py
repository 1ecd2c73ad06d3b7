"""Background tasks: none dies unnoticed, and each can be ended."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from agentauri.actors import tasks


async def fail() -> None:
    raise OSError("by a test")


async def end() -> None:
    return None


@pytest.mark.parametrize("work", [fail, end])
async def test_eternal_task_that_ends_gives_up_the_process(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    ended: list[bool] = []
    task = tasks.spawn(work(), name="x", eternal=True, give_up=lambda: ended.append(True))
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert ended == [True]


async def test_cancelled_eternal_task_gives_up_nothing() -> None:
    ended: list[bool] = []
    task = tasks.spawn(asyncio.Event().wait(), name="x", eternal=True, give_up=lambda: ended.append(True))
    await tasks.cancel(task, None)
    assert task.cancelled()
    assert ended == []


async def test_cancel_ends_a_task_that_lost_its_first_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "CANCEL_AGAIN_SECONDS", 0.01)
    lost: list[bool] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(True)

    task = tasks.spawn(stubborn(), name="stubborn")
    await asyncio.sleep(0)
    await tasks.cancel(task)
    assert task.done()
    assert lost
