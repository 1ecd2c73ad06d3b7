"""Pages of the log, read once for however many evaluators want them, the next one while the last is worked off.

Guarantees pages bounded in rows and bytes. Keeps a few recent ones; an evaluator further behind has its own read.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from agentauri import logs
from agentauri.models.page import Clock, Page
from agentauri.store import log as event_log
from agentauri.store.database import Pool
from agentauri.store.log import Heads, PageTooLarge

log = logs.get("pages")

PAGE_ROWS = 1_000
MOST_ROWS = 4_000
"""Under backlog pages grow up to this: a call costs the same whatever it carries."""
LEAST_ROWS = 1
LARGE_BYTES = 4 * 2**20
"""Pages beyond this halve the next one."""
KEPT_PAGES = 8
CLOCK_SECONDS = 0.5
"""How old the clocks may be that go out with pages."""


@dataclass(slots=True)
class Shared:
    """A page, and whatever a port makes of it once for all evaluators (a reference in Ray's object store)."""

    page: Page
    reference: Any = field(default=None, repr=False)


class PageReader:
    """Reads pages of one epoch through a pool; see the module."""

    def __init__(self, pool: Pool, epoch: int) -> None:
        self._pool = pool
        self._epoch = epoch
        self._rows = PAGE_ROWS
        self._heads = Heads()
        self._clocks: tuple[Clock, ...] = ()
        self._clocks_due = 0.0
        self._pages: OrderedDict[int, asyncio.Task[Shared | None]] = OrderedDict()

    async def head(self) -> int:
        """The greatest committed seq, asked now."""
        async with self._pool.acquire() as connection:
            self._heads = await event_log.heads(connection)
        return self._heads.seq

    async def page(self, after: int) -> Shared | None:
        """The page that follows ``after``; None at the head of the log."""
        found = self._pages.get(after)
        if found is None or (found.done() and (found.cancelled() or found.exception() or found.result() is None)):
            found = self._begin(after)
        return await asyncio.shield(found)

    def read_ahead(self, shared: Shared) -> None:
        """Begin to read the page after ``shared`` when there is one already."""
        following = shared.page.last_seq
        if following < self._heads.seq and following not in self._pages:
            self._begin(following).add_done_callback(_heard)

    def _begin(self, after: int) -> "asyncio.Task[Shared | None]":
        """Begin to read a page, and let go of the one that was begun longest ago."""
        task = self._pages[after] = asyncio.ensure_future(self._read(after))
        self._pages.move_to_end(after)
        while len(self._pages) > KEPT_PAGES:
            self._pages.popitem(last=False)
        return task

    async def clocks(self, after: int) -> tuple[Clock, ...]:
        """The chains' clocks that hold at ``after`` (protocol P12); read from the database now and then."""
        if time.monotonic() >= self._clocks_due:
            self._clocks_due = time.monotonic() + CLOCK_SECONDS
            async with self._pool.acquire() as connection:
                self._clocks = await event_log.clocks(connection)
        return tuple(one for one in self._clocks if one.seq <= after)

    def clock_page(self, after: int, clocks: tuple[Clock, ...]) -> Shared:
        """A page that carries clocks alone."""
        return Shared(Page(self._epoch, after, after, 0, b"", clocks=clocks))

    async def _read(self, after: int) -> Shared | None:
        async with self._pool.acquire() as connection:
            if self._heads.seq <= after:
                self._heads = await event_log.heads(connection)
            if self._heads.seq <= after:
                return None
            rows = self._rows
            page = await self._read_bounded(connection, after, rows)
        self._adapt(page, rows)
        return Shared(replace(page, clocks=await self.clocks(page.last_seq)))

    async def _read_bounded(self, connection: Any, after: int, rows: int) -> Page:
        while True:
            try:
                return await event_log.read_page(
                    connection, epoch=self._epoch, after=after, heads=self._heads, limit=rows
                )
            except PageTooLarge:
                rows = self._rows = max(LEAST_ROWS, rows // 8)
                log.info("page_too_large", after=after, rows_next=rows)

    def _adapt(self, page: Page, rows: int) -> None:
        if len(page.rows) > LARGE_BYTES:
            self._rows = max(LEAST_ROWS, rows // 2)
        elif page.count == rows and len(page.rows) < LARGE_BYTES // 2:
            self._rows = min(MOST_ROWS, 2 * rows)


def _heard(task: "asyncio.Task[Shared | None]") -> None:
    """A read ahead that failed is read again, and its error raised, when the page is asked for."""
    if not task.cancelled() and task.exception() is not None:
        log.debug("read_ahead_failed", error=repr(task.exception()))
