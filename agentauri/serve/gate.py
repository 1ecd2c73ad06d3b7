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
    failures: int = 0


class Gate:
    """Holds the lines of those who are checking or waiting at this moment."""

    def __init__(self) -> None:
        self._lines: dict[bytes, _Line] = {}

    @asynccontextmanager
    async def turn(self, subjects: Subjects) -> AsyncIterator[bool]:
        """Wait for a turn, and have it; says whether somebody failed in the meantime, so that a lock can have fallen.

        Everybody takes the account's before the client's, so no two can block.
        """
        lines = {subject: self._join(subject) for subject in _each(subjects)}
        failures = sum(line.failures for line in lines.values())
        try:
            async with AsyncExitStack() as stack:
                for line in lines.values():
                    await stack.enter_async_context(line.turns)
                yield sum(line.failures for line in lines.values()) > failures
        finally:
            for subject, line in lines.items():
                line.users -= 1
                if not line.users:
                    del self._lines[subject]

    def note_failure(self, subjects: Subjects) -> None:
        """Let those who wait behind a turn that is under way know that its password was wrong."""
        for subject in _each(subjects):
            self._lines[subject].failures += 1

    def _join(self, subject: bytes) -> _Line:
        line = self._lines.setdefault(subject, _Line())
        line.users += 1
        return line


def _each(subjects: Subjects) -> list[bytes]:
    return [one for one in (subjects.account, subjects.client) if one is not None]
