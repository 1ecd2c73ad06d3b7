"""The application behind a real socket, for clients that want one: a server in a thread of this process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from agentauri.actors.environment import free_port

START_SECONDS = 20.0
STOP_SECONDS = 10.0


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """``app`` on a port of loopback; yields its address, and stops it after the block."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, name="api of a test", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise AssertionError("the application did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)
        assert not thread.is_alive(), "the application did not stop"
