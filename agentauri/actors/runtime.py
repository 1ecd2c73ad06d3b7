"""The one place where classes become Ray actors, and functions Ray tasks.

Actor classes stay undecorated (a decorated class is pickled by value and comes back from a restart with old code);
``ensure`` wraps them. An actor's ``start()`` is scheduled by its constructor, so a restart by Ray starts it again
without anybody's help. Every actor is named, detached, restarted for ever, and bounded in CPU share.
"""

import asyncio
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Protocol

import orjson
import ray

from agentauri import __version__, logs
from agentauri.actors import tasks

NAMESPACE = "agentauri"
CPU_SHARE = 0.05
"""Actors share the cores; Ray's CPU count is for placing them, not for limiting them."""
MAX_CONCURRENCY = 64
RETRY_SECONDS = 1.0
"""Before an actor that could not start ends its process, and Ray begins anew."""

log = logs.get("runtime")


class Startable(Protocol):
    """What an actor class offers beside its own calls."""

    async def start(self) -> None:
        """Begin to work; idempotent."""

    async def drain(self) -> None:
        """Finish what is under way and stop."""


def _wrapped(cls: type[Startable]) -> type[Any]:
    """``cls`` with the start in its constructor and the facts that the Supervisor asks for."""

    class Actor(cls):  # type: ignore[valid-type,misc]  # a class made from a class at run time
        def __init__(self, fingerprint: str, log_level: str, log_json: bool, *args: Any) -> None:
            logs.setup(level=log_level, json=log_json)  # type: ignore[arg-type]  # checked by Settings
            super().__init__(*args)
            self._fingerprint = fingerprint
            self._starting = tasks.spawn(self._begin(), name=f"start {cls.__name__}")

        async def _begin(self) -> None:
            """An actor that could not start must not stay: alive and silent, nobody would bring it back."""
            try:
                await self.start()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next try has a fresh process
                log.error("start_failed", actor=cls.__name__, error=repr(error), retry_seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
                tasks.exit_process()

        async def about(self) -> dict[str, Any]:
            """Process and what it was made from: how the Supervisor knows what runs."""
            return {"pid": os.getpid(), "fingerprint": self._fingerprint}

        async def running(self) -> bool:
            """Wait until ``start`` is through; raises what it raised."""
            await asyncio.shield(self._starting)
            return True

    Actor.__name__ = Actor.__qualname__ = cls.__name__
    return Actor


def fingerprint(*args: Any) -> str:
    """Tells apart actors of other versions or settings: one that lives on keeps those that it was made with."""
    made_of = orjson.dumps([__version__, args], default=str, option=orjson.OPT_SORT_KEYS)
    return blake2b(made_of, digest_size=16).hexdigest()


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
    handle: ray.actor.ActorHandle[Any] = (
        ray.remote(_wrapped(cls)).options(**options).remote(fingerprint(*args), *log, *args)
    )
    return handle


def submit(function: Callable[..., None], *args: Any) -> None:
    """Run a module's function in a worker process, once; nobody waits for it, what it comes to it writes down."""
    ray.remote(function).options(num_cpus=CPU_SHARE, max_retries=0).remote(*args)
