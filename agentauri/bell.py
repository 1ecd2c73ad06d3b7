"""A bell that wakes all who wait in this process, and nobody who came too late to miss anything.

Whoever waits says how many rings there were when it last looked; a ring in between is not lost.
"""

import asyncio


class Bell:
    """Wakes all who wait; one who saw fewer rings than there were does not wait at all."""

    def __init__(self) -> None:
        self.rings = 0
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody."""
        self.rings += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seen: int) -> None:
        """Until there were more rings than ``seen``."""
        while self.rings <= seen:
            await self._event.wait()
