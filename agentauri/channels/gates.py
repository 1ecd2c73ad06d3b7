"""At most so many at once, by name: for servers that become known only in the middle of an attempt.

Guarantees the bound within one process, whoever asks, in the order of asking. Names that nobody uses are forgotten.
How long to wait is the caller's business.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Gate:
    free: asyncio.Semaphore
    users: int = 0


class Gates:
    """``most`` may be inside under each name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._gates: dict[str, _Gate] = {}

    @asynccontextmanager
    async def enter(self, name: str, seconds: float) -> AsyncIterator[None]:
        """Be one of those inside. Raises TimeoutError when none of them left within ``seconds``."""
        gate = self._gates.setdefault(name, _Gate(asyncio.Semaphore(self._most)))
        gate.users += 1
        try:
            async with asyncio.timeout(seconds):
                await gate.free.acquire()
            try:
                yield
            finally:
                gate.free.release()
        finally:
            gate.users -= 1
            if not gate.users:
                del self._gates[name]

    def __len__(self) -> int:
        return len(self._gates)
