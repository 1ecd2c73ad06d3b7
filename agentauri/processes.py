"""Child processes that end with us, and the ends of those that an earlier run left behind.

Guarantees that a child started here gets its signal when this process dies, however it dies (Linux), and that
``end`` returns only when the processes are gone. Ends no process by name: only by an id that was found through
something that is ours alone (the folder it runs in, or the mark in its environment).
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from agentauri.errors import StartError

LAUNCHER = Path(__file__).with_name("launch.py")
MARK = "AURI_RUN"
"""Environment variable whose value every process of one run inherits."""
POLL_SECONDS = 0.02
TERM_SECONDS = 3.0
KILL_SECONDS = 3.0

_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="children")
# The kernel watches the thread that forked: one thread that lives as long as the process starts every child.


def start(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    death_signal: signal.Signals,
    shed: str = "no",
    given: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in ``folder``, apart from the terminal's Ctrl-C; its output is appended to ``log``.

    When this process dies the child gets ``death_signal``. ``shed``: see ``launch.py``. ``given`` is its input.
    """
    words = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(int(death_signal)), shed, "--", *command]

    def run() -> subprocess.Popen[bytes]:
        with log.open("ab") as output, (given or Path(os.devnull)).open("rb") as source:
            return subprocess.Popen(
                words,
                cwd=folder,
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )

    return _starter.submit(run).result()


def running_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is ``folder``: what an earlier run left there. Ours alone among users."""
    place = str(folder.resolve())
    return [process for process in _others() if _working_directory(process) == place]


def marked(mark: str) -> list[psutil.Process]:
    """Processes that inherited ``mark`` from the run that made it, this one excepted."""
    return [process for process in _others() if _mark_of(process) == mark]


def _others() -> Iterable[psutil.Process]:
    return (process for process in psutil.process_iter() if process.pid != os.getpid())


def _working_directory(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return None  # gone, or another user's: not ours


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def end(processes: Iterable[psutil.Process], *, term_seconds: float = TERM_SECONDS) -> list[int]:
    """End processes: SIGTERM, after ``term_seconds`` SIGKILL. Returns their ids; raises StartError if one stays."""
    known = [process for process in processes if not _is_gone(process)]
    for number, seconds in ((signal.SIGTERM, term_seconds), (signal.SIGKILL, KILL_SECONDS)):
        for process in known:
            _signal(process, number)
        deadline = time.monotonic() + seconds
        while not all(map(_is_gone, known)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    stayed = [process.pid for process in known if not _is_gone(process)]
    if stayed:
        raise StartError(f"process {stayed[0]} cannot be ended; end it by hand: kill -9 {stayed[0]}")
    return [process.pid for process in known]


def _is_gone(process: psutil.Process) -> bool:
    """A zombie is gone too: it holds nothing any more, and where no init reaps orphans it stays one for ever."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended by itself, which is what was wanted


def stop(child: subprocess.Popen[bytes], *signals: signal.Signals, seconds: float) -> None:
    """Stop a child started here: each of ``signals`` in turn, then SIGKILL, with ``seconds`` for each to work."""
    for number in (*signals, signal.SIGKILL):
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def wait_until(
    ready: Callable[[], bool], child: subprocess.Popen[bytes], *, seconds: float, what: str, log: Path
) -> None:
    """Poll ``ready`` until it holds. Raises StartError with the log's last line if the child ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if child.poll() is not None:
            raise StartError(f"{what} ended at once: {last_line(log)} (log: {log})")
        if time.monotonic() > deadline:
            raise StartError(f"{what} was not ready within {seconds:.0f} s: {last_line(log)} (log: {log})")
        time.sleep(POLL_SECONDS)


def last_line(log: Path) -> str:
    """The last line that is not empty of a log, or a word that there is none."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
