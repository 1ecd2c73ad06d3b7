"""``run.json`` in ``data_dir``: where the service that runs there answers, for commands in other terminals.

Mode 0600, for it holds addresses with passwords. Written when a service is ready and removed when it stops; one that
a killed run left behind names a process that is gone, and counts as none.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import psutil

from agentauri.errors import StartError

NAME = "run.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A service that is up. ``started`` is the start of process ``pid``, which tells it from a later one of that id."""

    pid: int
    started: float
    api_url: str
    ray_address: str
    dashboard_url: str
    token_file: str
    database_url: str
    redis_url: str


def started(pid: int) -> float:
    """When a process started, in seconds since 1970. Raises psutil.NoSuchProcess."""
    return float(psutil.Process(pid).create_time())


def write(data_dir: Path, run: Run) -> None:
    """Write the file whole, for its owner alone."""
    half = data_dir / f"{NAME}.part"
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(orjson.dumps(asdict(run)))
    half.replace(data_dir / NAME)


def remove(data_dir: Path) -> None:
    """Remove the file, if there is one."""
    (data_dir / NAME).unlink(missing_ok=True)


def find(data_dir: Path) -> Run | None:
    """The service that is up in ``data_dir``; None if there is none."""
    try:
        run = Run(**orjson.loads((data_dir / NAME).read_bytes()))
        return run if abs(started(run.pid) - run.started) < 1 else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise StartError(f"{data_dir / NAME} cannot be read ({error}); remove it and start again.") from error


def get(data_dir: Path) -> Run:
    """As ``find``. Raises StartError with the remedy if nothing runs."""
    run = find(data_dir)
    if run is None:
        raise StartError(f"no service runs in {data_dir}; start one with: agentauri up")
    return run
