"""The one place where classes become Ray actors.

Actor classes stay undecorated (a decorated class is pickled by value and comes back from a restart with old code);
``ensure`` wraps them. An actor's ``start()`` is scheduled by its constructor, so a restart by Ray starts it again
without anybody's help. Every actor is named, detached, restarted for ever, and bounded in CPU share.
"""

import asyncio
import time
from typing import Any, Protocol

import ray

from agentauri import __version__, logs
from agentauri.actors import tasks

NAMESPACE = "agentauri"
CPU_SHARE = 0.05
"""Actors share the cores; Ray's CPU count is for placing them, not for limiting them."""
MAX_CONCURRENCY = 64


class Startable(Protocol):
    """What an actor class offers beside its own calls."""

    async def start(self) -> None:
        """Begin to work; idempotent."""

    async def drain(self) -> None:
        """Finish what is under way and stop."""


def _wrapped(cls: type[Startable]) -> type[Any]:
    """``cls`` with the start in its constructor and the facts that the Supervisor asks for."""

    class Actor(cls):  # type: ignore[valid-type,misc]  # a class made from a class at run time
        def __init__(self, log_level: str, log_json: bool, *args: Any) -> None:
            logs.setup(level=log_level, json=log_json)  # type: ignore[arg-type]  # checked by Settings
            super().__init__(*args)
            self._born = time.time()
            self._starting = tasks.spawn(self.start(), name=f"start {cls.__name__}")

        async def about(self) -> dict[str, Any]:
            """Process and version: how the Supervisor knows what runs."""
            import os

            return {"pid": os.getpid(), "version": __version__, "born": self._born}

        async def running(self) -> bool:
            """Wait until ``start`` is through; raises what it raised."""
            await asyncio.shield(self._starting)
            return True

    Actor.__name__ = Actor.__qualname__ = cls.__name__
    return Actor


def ensure(
    cls: type[Startable], name: str, *args: Any, log: tuple[str, bool], namespace: str = NAMESPACE
) -> "ray.actor.ActorHandle[Any]":
    """The actor of that name, created if it is not there. ``log``: level, and whether lines are JSON."""
    options: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": MAX_CONCURRENCY,
        "num_cpus": CPU_SHARE,
    }
    handle: ray.actor.ActorHandle[Any] = ray.remote(_wrapped(cls)).options(**options).remote(*log, *args)
    return handle
