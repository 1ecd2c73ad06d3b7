"""Children end with their parent, and what is ended is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from agentauri import processes
from agentauri.errors import StartError
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
SLEEP = ["/bin/sleep", "60"]
PARENT = """
import signal, sys, time
from pathlib import Path
from agentauri import processes
child = processes.start(["/bin/sleep", "60"], folder=Path("."), log=Path("log"), death_signal=signal.SIGTERM)
print(child.pid, flush=True)
time.sleep(60)
"""
ADOPTER = """
import subprocess
from agentauri import processes
from tests.support.waiting import until
processes.adopt_orphans()
subprocess.run(["/bin/sh", "-c", "sleep 0 & sleep 0 & exit"], check=True)
until(lambda: [one.status() for one in processes.descendants()] == ["zombie", "zombie"])
processes.reap()
print(processes.descendants())
processes.reap()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"


def start(folder: Path) -> subprocess.Popen[bytes]:
    return processes.start(SLEEP, folder=folder, log=folder / "log", death_signal=signal.SIGKILL)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends stale children")
def test_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=tmp_path, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert runs(child)
    parent.kill()
    parent.communicate()
    until(lambda: not runs(child))


def test_processes_of_a_folder_are_found_and_ended(tmp_path: Path) -> None:
    child = start(tmp_path)
    until(lambda: psutil.Process(child.pid).cmdline() == SLEEP)
    said: list[str] = []
    processes.end_leftovers(tmp_path, "a sleep", said.append)
    assert child.wait(5) == -signal.SIGTERM
    assert said == [f"ended what an earlier, killed run left of a sleep (process {child.pid})."]
    processes.end_leftovers(tmp_path, "a sleep", said.append)
    assert len(said) == 1


def test_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], cwd=tmp_path, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert processes.end([psutil.Process(child.pid)], term_seconds=0.1) == [child.pid]
    assert child.wait(5) == -signal.SIGKILL
    child.stdout.close()


def test_zombie_counts_as_gone(tmp_path: Path) -> None:
    child = start(tmp_path)
    process = psutil.Process(child.pid)
    child.send_signal(signal.SIGKILL)
    until(lambda: process.status() == psutil.STATUS_ZOMBIE)
    assert processes.end([process]) == []
    child.wait(5)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans are not adopted")
def test_adopted_children_that_ended_leave_no_zombies() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    adopter = [sys.executable, "-c", ADOPTER]
    told = subprocess.run(adopter, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "[]\n"


def test_child_that_ends_at_once_is_told_with_the_last_line_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = processes.start(
        ["/bin/sh", "-c", "echo first; echo no such option; exit 3"],
        folder=tmp_path,
        log=log,
        death_signal=signal.SIGKILL,
    )
    with pytest.raises(StartError, match=r"the server ended at once: no such option \(log: "):
        processes.wait_until(lambda: False, child, seconds=10, what="the server", log=log)


def test_child_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    child = start(tmp_path)
    began = time.monotonic()
    with pytest.raises(StartError, match="was not ready within 0 s: it said nothing"):
        processes.wait_until(lambda: False, child, seconds=0.1, what="the server", log=tmp_path / "log")
    assert time.monotonic() - began < 5
    processes.stop(child, signal.SIGTERM, seconds=5)
    assert child.returncode == -signal.SIGTERM
