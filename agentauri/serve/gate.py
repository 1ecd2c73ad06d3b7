"""Turns at checking passwords: a few at a time for each account and each client, the rest wait in line.

The database alone decides which failure counts (``store/lockouts.py``); this keeps one guesser from filling the line
of hashes for everybody else, since whoever comes to a turn after the lock costs no hash. Per process, and without
any memory between two tries.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from agentauri.accounts.lockout import ALLOWANCE, Subjects


@dataclass(slots=True)
class _Line:
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ALLOWANCE))
    users: int = 0


class Gate:
    """Holds the lines of those who are checking or waiting at this moment."""

    def __init__(self) -> None:
        self._lines: dict[bytes, _Line] = {}

    @asynccontextmanager
    async def turn(self, subjects: Subjects) -> AsyncIterator[None]:
        """Wait for a turn, and have it. Everybody takes the account's before the client's, so no two can block."""
        async with AsyncExitStack() as stack:
            for subject in (subjects.account, subjects.client):
                if subject is not None:
                    await stack.enter_async_context(self._turn(subject))
            yield

    @asynccontextmanager
    async def _turn(self, subject: bytes) -> AsyncIterator[None]:
        line = self._lines.setdefault(subject, _Line())
        line.users += 1
        try:
            async with line.turns:
                yield
        finally:
            line.users -= 1
            if not line.users:
                del self._lines[subject]
