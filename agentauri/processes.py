"""Child processes that end with us, and the ends of those that an earlier run left behind.

Guarantees that a child started here gets its signal when this process dies, however it dies (Linux), and that
``end`` returns only when the processes are gone. Ends no process by name: only children of ours, and processes
that work in a folder which is ours alone.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from agentauri.errors import StartError

LAUNCHER = Path(__file__).with_name("launch.py")
PR_SET_CHILD_SUBREAPER = 36
POLL_SECONDS = 0.02
TERM_SECONDS = 1.5
KILL_SECONDS = 3.0
LOG_BYTES = 10_000_000
"""A log beyond this is set aside as ``.old`` at the next start."""

Say = Callable[[str], None]
"""Tells people one line."""

_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="children")
# The kernel watches the thread that forked: one thread that lives as long as the process starts every child.


def unheard(_line: str) -> None:
    """A ``Say`` for nobody."""


def start(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    death_signal: signal.Signals,
    shed: str = "no",
    given: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in ``folder``, apart from the terminal's Ctrl-C; its output is appended to ``log``.

    When this process dies the child gets ``death_signal``. ``shed``: see ``launch.py``. ``given`` is its input.
    """

    def run() -> subprocess.Popen[bytes]:
        with log.open("ab") as output, (given or Path(os.devnull)).open("rb") as source:
            return subprocess.Popen(
                [*launcher(death_signal, shed), *command],
                cwd=folder,
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    return in_starter(run)


def launcher(death_signal: signal.Signals, shed: str = "no") -> list[str | Path]:
    """The words before a command that make it end with this process."""
    return [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(int(death_signal)), shed, "--"]


def in_starter(run: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Call ``run``, which starts a child, in the one thread whose end is the end of this process."""
    return _starter.submit(run).result()


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind, so that ``descendants`` finds it (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[psutil.Process]:
    """Every process that stems from this one."""
    return psutil.Process().children(recursive=True)


def reap() -> None:
    """Take leave of adopted children that have ended: what nobody waits for stays in the table of processes, until an
    init comes by or, in a container without one, for ever. Only when no child's exit status is wanted any more.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return  # there is no child at all


def running_in(folder: Path) -> list[psutil.Process]:
    """Processes whose working directory is ``folder``: what an earlier run left there, when the folder is ours."""
    place = str(folder.resolve())
    return [process for process in _others() if _working_directory(process) == place]


def _others() -> Iterator[psutil.Process]:
    return (process for process in psutil.process_iter() if process.pid != os.getpid())


def _working_directory(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return None  # gone, or another user's: not ours


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


def end_leftovers(folder: Path, what: str, say: Say) -> None:
    """End what a killed run left in ``folder``: whoever owns the folder now started it once."""
    ended = end(running_in(folder))
    if ended:
        say(f"ended what an earlier, killed run left of {what} (process {', '.join(map(str, ended))}).")


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


class Server(ABC):
    """A server of ours in its own folder: started, stopped, and started again should it die."""

    what: str
    ready_seconds: float
    stop_signals: tuple[signal.Signals, ...]
    stop_seconds: float

    def __init__(self, folder: Path, say: Say) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self._say = say
        self._child: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs before it can be launched."""

    @abstractmethod
    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it takes connections."""

    def start(self) -> None:
        """Start, and wait until it takes connections. Raises StartError with the last line of its log."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        end_leftovers(self.folder, self.what, self._say)
        self.prepare()
        self._child = self.launch()
        wait_until(self.is_ready, self._child, seconds=self.ready_seconds, what=self.what, log=self.log)

    def stop(self) -> None:
        """Stop, politely first; nothing happens when it does not run."""
        if self._child is not None:
            stop(self._child, *self.stop_signals, seconds=self.stop_seconds)
            self._child = None

    def revive(self) -> None:
        """Start it again if it died; its data are where they were. Raises StartError."""
        if self._child is not None and self._child.poll() is not None:
            self._say(f"{self.what} ended by itself and is started again (log: {self.log}).")
            self.start()
