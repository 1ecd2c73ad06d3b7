"""The Ray cluster of one machine: started with Serve in front, watched, drained and stopped in bounded time.

The environment of ``environment.py`` has to be set before this module is imported. Guarantees that the cluster is on
loopback behind a token, and that ``stop`` comes back. With an address it joins that cluster instead, and at the end
takes back only what was deployed. Promises nothing about data: all truth is in PostgreSQL, a cluster is disposable.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import HTTPOptions, ProxyLocation
from ray.serve.schema import LoggingConfig

from agentauri import logs
from agentauri.actors import handles
from agentauri.actors.runtime import CPU_SHARE, NAMESPACE

log = logs.get("cluster")

MIB = 2**20
ROOM_CPUS = 2
"""What Serve's controller, proxy and replicas are placed on beside the actors of the path."""
PATH_SECONDS = 20.0
POLL_SECONDS = 0.1
CALL_SECONDS = 2.0
DRAIN_SECONDS = 2.0
SERVE_STOP_SECONDS = 2.5
VITAL = ("gcs_server", "raylet")
REPLICA_HOST = "127.0.0.1"
"""Replicas listen here; HAProxy alone listens where the settings say (its launcher sees to it)."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster. ``vital`` are the processes without which it is none; empty when we only joined it."""

    address: str
    dashboard_url: str
    vital: tuple[psutil.Process, ...]

    @property
    def is_ours(self) -> bool:
        """Whether it was started here and ends with us."""
        return bool(self.vital)

    def is_alive(self) -> bool:
        """Whether its vital processes run; a joined cluster is taken to live."""
        return all(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in self.vital)


def start(
    *, address: str, folder: Path, dashboard_port: int, metrics_port: int, object_store_mb: int, actors: int
) -> Cluster:
    """Start a cluster of our own with its files in ``folder``, or join the one at ``address``.

    Metrics of the cluster and of the path are at ``metrics_port``, for Prometheus. ``actors``: how many it has to
    have room for.
    """
    common: dict[str, Any] = {"namespace": NAMESPACE, "logging_level": "warning"}
    if address:
        joined: Any = ray.init(address=address, **common)
        return Cluster(address, f"http://{joined.address_info['webui_url']}", ())
    context: Any = ray.init(
        address="local",
        num_cpus=max(os.cpu_count() or 1, ROOM_CPUS + math.ceil(actors * CPU_SHARE)),
        object_store_memory=object_store_mb * MIB,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        dashboard_port=dashboard_port,
        _metrics_export_port=metrics_port,
        _temp_dir=str(folder),
        **common,
    )
    vital = tuple(child for child in psutil.Process().children() if child.name() in VITAL)
    info = context.address_info
    return Cluster(info["gcs_address"], f"http://{info['webui_url']}", vital)


def start_serve(port: int) -> None:
    """Start Serve, listening on loopback; HAProxy's launcher, where there is one, gives the API its address."""
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host=REPLICA_HOST, port=port),
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )


def wait_for_path(names: Sequence[str], seconds: float = PATH_SECONDS) -> list[str]:
    """Wait until these actors have started; the names of those that have not within ``seconds``."""
    waiting, deadline = list(names), time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        waiting = [name for name in waiting if not _is_running(name)]
        time.sleep(POLL_SECONDS)
    return waiting


def _is_running(name: str) -> bool:
    handle = handles.find(name)
    if handle is None:
        return False
    try:
        ray.get(handle.running.remote(), timeout=CALL_SECONDS)
    except (RayError, TimeoutError):
        return False
    return True


def stop(cluster: Cluster) -> None:
    """Let the actors finish what is under way, then end Serve, the actors and, if it is ours, the cluster.

    Takes a few seconds at most; what is not done by then is ended hard, which loses nothing.
    """
    _within(DRAIN_SECONDS, "drain", _drain)
    _within(SERVE_STOP_SECONDS, "serve_stop", serve.shutdown)
    if not cluster.is_ours:
        for handle in _handles():
            ray.kill(handle)
    ray.shutdown()


def _handles() -> list[Any]:
    named = ray.util.list_named_actors(all_namespaces=True)
    return [ray.get_actor(one["name"], NAMESPACE) for one in named if one["namespace"] == NAMESPACE]


def _drain() -> None:
    ray.wait([handle.drain.remote() for handle in _handles()] or [ray.put(None)], timeout=DRAIN_SECONDS)


def _within(seconds: float, what: str, work: Callable[[], object]) -> None:
    """Do ``work``, but go on after ``seconds`` if it hangs: Ray's own calls have no deadline."""

    def run() -> None:
        try:
            work()
        except (RayError, RuntimeError, ValueError) as error:
            log.warning("stop_step_failed", step=what, error=repr(error))

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        log.warning("stop_step_slow", step=what, seconds=seconds)
