"""Servers that tests put in the place of others': an aiohttp application on a free port of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

SHUTDOWN_SECONDS = 60.0


@asynccontextmanager
async def served(app: web.Application, shutdown_seconds: float = SHUTDOWN_SECONDS) -> AsyncIterator[str]:
    """Its address, without a slash at the end; at the end of the block it has so long to finish answers."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_seconds)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
