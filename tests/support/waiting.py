"""Waiting for something to become true, without fixed sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T] | T], *, seconds: float = 15.0, pause: float = 0.02) -> T:
    """The first truthy answer of ``check``. Fails with its last answer after ``seconds``."""
    until = time.monotonic() + seconds
    while True:
        answer = check()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s; last answer: {value!r}")
        await asyncio.sleep(pause)
