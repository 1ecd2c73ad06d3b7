"""The process under ``agentauri up`` that holds Ray: started, told to stop, and, if it hangs, killed by its parent.

A process of its own, because Ray's calls cannot be interrupted and take most of a second to import. Reads its orders
as one JSON line from standard input (they hold secrets: neither arguments nor the environment will do), tells what it
does as JSON lines on the pipe of its first argument, and ends when Ray does.
"""

import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from agentauri import config, logs
from agentauri.errors import AgentAuriError

log = logs.get("runner")

WATCH_SECONDS = 0.5
DEPLOY = "agentauri.serve.deployments:deploy"


class Stop(BaseException):
    """The parent wants the end."""


def main() -> int:
    """Run the cluster until SIGTERM; 0 then, 1 when something broke (it was told on the pipe)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _raise_stop)
    pipe = int(sys.argv[1])
    try:
        _run(orjson.loads(sys.stdin.buffer.readline()), pipe)
        reason = "a part of the Ray cluster ended by itself"
    except Stop:
        return 0
    except AgentAuriError as error:
        reason = error.message
    except Exception as error:
        log.exception("runner_failed")
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    _tell(pipe, failed=reason)
    return 1


def _raise_stop(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stop


def _run(orders: dict[str, Any], pipe: int) -> None:
    """Bring everything up, stay until the cluster breaks or the parent calls, take everything down."""
    settings = config.build(orders["settings"])
    logs.setup(level=settings.log.level, json=settings.environment == "production")
    _tell(pipe, step="Ray")
    from agentauri.actors import cluster

    running = cluster.start(
        address=settings.ray.address,
        folder=Path(orders["folder"]),
        dashboard_port=settings.ray.dashboard_port,
        metrics_port=settings.metrics.port,
        object_store_mb=settings.ray.object_store_mb,
        actors=settings.actors.evaluators + settings.actors.deliverers_max + len(settings.chains) + 1,
    )
    signal.signal(signal.SIGTERM, _raise_stop)  # Ray may have put its own in place, which ends the process at once
    try:
        _tell(pipe, step="Serve")
        cluster.start_serve(settings.http.port)
        _tell(pipe, step="API and actors")
        _deployment(orders["deploy"])(settings)
        late = cluster.wait_for_path(_path(settings)) if orders["deploy"] == DEPLOY else []
        if late:
            log.warning("actors_late", actors=late, remedy="they are tried on; see their own lines")
        _tell(pipe, ready={"ray_address": running.address, "dashboard_url": running.dashboard_url})
        while running.is_alive():
            time.sleep(WATCH_SECONDS)
    except Stop:
        cluster.stop(running)
        raise


def _path(settings: config.Settings) -> list[str]:
    """The actors without which no event gets through; an indexer may wait for its providers as long as it takes."""
    from agentauri.actors import handles

    evaluators = [handles.evaluator_name(index) for index in range(settings.actors.evaluators)]
    return [handles.LISTENER, *evaluators, handles.deliverer_name(0)]


def _deployment(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _tell(pipe: int, **message: object) -> None:
    try:
        os.write(pipe, orjson.dumps(message) + b"\n")
    except BrokenPipeError:
        log.info("unheard", **message)  # the parent listens until it has heard "ready"


def _leave(status: int) -> None:
    """End at once: Ray's own way out waits a minute or more for a cluster that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _leave(main())
