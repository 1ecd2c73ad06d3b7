"""Waiting for something to become true, without fixed sleeps."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(check: Callable[[], Awaitable[T | None]], *, seconds: float = ..., pause: float = ...) -> T: ...
@overload
async def eventually(check: Callable[[], T | None], *, seconds: float = ..., pause: float = ...) -> T: ...
async def eventually(check: Callable[[], Any], *, seconds: float = 15.0, pause: float = 0.02) -> Any:
    """The first truthy answer of ``check``. Fails with its last answer after ``seconds``."""
    until = time.monotonic() + seconds
    while True:
        answer = check()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s; last answer: {value!r}")
        await asyncio.sleep(pause)


def until(check: Callable[[], object], *, seconds: float = 15.0, pause: float = 0.02) -> None:
    """Wait, outside any event loop, until ``check`` is truthy. Fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(pause)
