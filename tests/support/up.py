"""``agentauri up`` in a process of its own, for tests that start it, look at it, kill it, and count what is left."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil

from agentauri import local_home, processes
from agentauri.actors.environment import free_port
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 100.0
"""Twice what the service promises on an idle machine: other tests run beside."""
TINY = """
from functools import partial
from agentauri import config
from agentauri.cli import service, up
up.running = partial(service.running, deploy="tests.support.tiny_app:deploy")
up.up(config.load())
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder and ports for one service after another."""

    folder: Path
    http_port: int
    dashboard_port: int
    metrics_port: int

    @property
    def data_dir(self) -> Path:
        """Its data_dir."""
        return self.folder.resolve() / ".agentauri"

    @property
    def runtime(self) -> Path:
        """Where its sockets and Ray's files are while it runs."""
        return local_home.runtime_path(self.data_dir)

    def environment(self) -> dict[str, str]:
        """What its commands run with."""
        return os.environ | {
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "AGENTAURI_HTTP__PORT": str(self.http_port),
            "AGENTAURI_RAY__DASHBOARD_PORT": str(self.dashboard_port),
            "AGENTAURI_METRICS__PORT": str(self.metrics_port),
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``agentauri`` with these words here."""
        return subprocess.run(
            [sys.executable, "-c", "from agentauri.cli import main; main()", *words],
            cwd=self.folder, env=self.environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def left(self) -> list[str]:
        """Whatever still works in a folder of this place."""
        folders = (str(self.data_dir), str(self.runtime))
        return [name for process in psutil.process_iter() if (name := _name_in(process, folders))]


def place(folder: Path) -> Place:
    """A place with free ports."""
    return Place(folder, free_port(), free_port(), free_port())


def _name_in(process: psutil.Process, folders: tuple[str, ...]) -> str:
    """The name of a process that works in one of the folders, empty for any other."""
    try:
        works = process.status() != psutil.STATUS_ZOMBIE and process.cwd().startswith(folders)
        return process.name() if works else ""
    except (psutil.Error, OSError):
        return ""


def _is_loopback(address: str) -> bool:
    found = ip_address(address)
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


class Up:
    """The process. ``tiny``: with the least application instead of the real one."""

    def __init__(self, where: Place, *, tiny: bool = False) -> None:
        self.where = where
        self._log = where.folder / "up.log"
        words = ["-c", TINY] if tiny else ["-c", "from agentauri.cli import main; main()", "up"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                cwd=where.folder,
                env=where.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def wait_for(self, pattern: str, seconds: float = READY_SECONDS) -> None:
        """Wait until it has printed something. Fails with its output if it ends first."""
        until(lambda: re.search(pattern, self.said) or self._process.poll() is not None, seconds=seconds, pause=0.1)
        assert re.search(pattern, self.said), self.said

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and its process group, as a terminal does on Ctrl-C."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it as a crash does, without a word."""
        self.send(signal.SIGKILL)
        self._process.wait(10)

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """End it; its exit status, and the seconds until its last process was gone."""
        began = time.monotonic()
        if self._process.poll() is None:
            self.send(number)
        status = self._process.wait(30)
        until(lambda: not self.where.left(), seconds=30)
        return status, time.monotonic() - began

    def heard_outside(self) -> list[str]:
        """Which of its processes listen on more than loopback, and on what."""
        return [
            f"{process.name()} {one.laddr.ip}:{one.laddr.port}"
            for process in processes.running_in(self.where.runtime / "ray")
            for one in process.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and not _is_loopback(one.laddr.ip)
        ]

    def json(self, *words: str) -> Any:
        """What a command in another terminal prints as JSON."""
        told = self.where.command(*words)
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)
