"""Finding the actors of the path by name, and calling them without waiting for ever.

The only door through which the API, the CLI and the actors themselves reach actors. A handle that is found may be of
a dead actor: callers treat RayError as "not there now".
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import ray
from ray.exceptions import RayError
from ray.util.state import list_actors

from agentauri import logs
from agentauri.actors import backtest, runtime, tasks
from agentauri.actors.backtest import Work
from agentauri.actors.runtime import NAMESPACE
from agentauri.store.stretches import Stretch

log = logs.get("handles")

CALL_SECONDS = 5.0
LISTENER = "listener"
DELIVERER = "deliverer-"


def evaluator_name(index: int) -> str:
    """Name of evaluator ``index``."""
    return f"evaluator-{index:02d}"


def deliverer_name(index: int) -> str:
    """Name of deliverer ``index``."""
    return f"{DELIVERER}{index:02d}"


def is_deliverer(name: str) -> bool:
    """Whether an actor of this name is a deliverer."""
    return name.startswith("deliverer-")


def indexer_name(chain_id: int) -> str:
    """Name of a chain's indexer."""
    return f"indexer-{chain_id}"


def find(name: str, namespace: str = NAMESPACE) -> "ray.actor.ActorHandle[Any] | None":
    """The actor of that name, None if there is none."""
    try:
        handle: ray.actor.ActorHandle[Any] = ray.get_actor(name, namespace=namespace)
    except ValueError:
        return None
    return handle


def names(namespace: str = NAMESPACE) -> set[str]:
    """Names of all actors of the path that there are."""
    found = ray.util.list_named_actors(all_namespaces=True)
    return {one["name"] for one in found if one["namespace"] == namespace}


async def call(handle: "ray.actor.ActorHandle[Any]", method: str, *args: Any, seconds: float = CALL_SECONDS) -> Any:
    """Call and wait at most ``seconds``. Raises RayError or TimeoutError."""
    # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the answer.
    async with asyncio.timeout(seconds):
        return await getattr(handle, method).remote(*args)


async def ring_deliverers(lanes: Sequence[str], namespace: str = NAMESPACE) -> None:
    """Tell every deliverer that something is due in these lanes, and wait for none; outside a cluster there is none."""
    if ray.is_initialized():
        await asyncio.to_thread(_ring_deliverers, list(lanes), namespace)


def _ring_deliverers(lanes: list[str], namespace: str) -> None:
    try:
        found = [find(name, namespace) for name in names(namespace) if name.startswith(DELIVERER)]
    except RayError as error:
        log.debug("deliverers_not_rung", error=repr(error))
        return
    for handle in found:
        if handle is not None:
            handle.ring.remote(lanes)


async def work_off_test(database_url: str, test_id: UUID, definition: dict[str, Any], parts: Sequence[Stretch]) -> None:
    """Have a test worked off, each part in a process of its own; outside a cluster in this one. Does not wait."""
    for number, part in enumerate(parts):
        work = Work(test_id, number, definition, part)
        if ray.is_initialized():
            await asyncio.to_thread(runtime.submit, backtest.run, database_url, work)
        else:
            tasks.spawn(backtest.work_off_alone(database_url, work), name=f"test {work.test_id}.{work.number}")


def end(handle: "ray.actor.ActorHandle[Any]") -> None:
    """End an actor for good; Ray does not bring it back."""
    ray.kill(handle)


async def ask(name: str, method: str, namespace: str = NAMESPACE, seconds: float = CALL_SECONDS) -> Any | None:
    """The answer of a named actor, None when it is away or silent."""
    handle = await asyncio.to_thread(find, name, namespace)
    if handle is None:
        return None
    try:
        return await call(handle, method, seconds=seconds)
    except (RayError, TimeoutError):
        return None


State = Literal["alive", "starting", "restarting", "dead"]
STATES: dict[str, State] = {
    "ALIVE": "alive",
    "DEPENDENCIES_UNREADY": "starting",
    "PENDING_CREATION": "starting",
    "RESTARTING": "restarting",
    "DEAD": "dead",
}


def actor_states(namespace: str = NAMESPACE, address: str | None = None) -> list[dict[str, Any]]:
    """Every actor of the path: name, pid, node, state, restarts. Blocks: call it in a thread from async code.

    ``address``: the dashboard's, for a process that has not joined the cluster.
    """
    found = list_actors(address, filters=[("ray_namespace", "=", namespace)], detail=True, limit=1000, timeout=10)
    rows = [
        {
            "name": one.name,
            "pid": one.pid,
            "node": one.node_id,
            "state": STATES.get(one.state, "dead"),
            "restarts": one.num_restarts or 0,
        }
        for one in found
        if one.name and one.state != "DEAD"
    ]
    return sorted(rows, key=lambda row: str(row["name"]))
