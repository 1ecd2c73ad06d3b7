"""Where the embedded stores live, and as whom PostgreSQL runs, which refuses root.

Guarantees private folders, socket paths that are short enough, and no change to the system: as root a user namespace
hides root from PostgreSQL; where the kernel forbids that, everything moves into the state directory and PostgreSQL
runs as an unprivileged user that exists already. Adds no user and opens no folder.
"""

import hashlib
import os
import pwd
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agentauri.errors import StartError
from agentauri.processes import Say, launcher, unheard

STATE_DIRECTORY = Path("/var/lib/agentauri")
TEMPORARY = Path("/tmp")
"""Not $TMPDIR, which can be too long for a socket, above all on macOS."""
UNPRIVILEGED_USERS = ("postgres", "nobody", "daemon")
PROBE_SECONDS = 5.0
DIGEST_LETTERS = 8


@dataclass(frozen=True, slots=True)
class Home:
    """Where the servers' files are, where their sockets are, and how root is shed (see ``launch.py``)."""

    folder: Path
    sockets: Path
    shed: str

    @property
    def user(self) -> int | None:
        """The unprivileged user id that PostgreSQL runs as; None: our own."""
        return int(self.shed) if self.shed.isdigit() else None


def choose(data_dir: Path, say: Say = unheard, *, namespaces: bool = True) -> Home:
    """Where and as whom the servers run. ``namespaces=False`` acts as where the kernel refuses user namespaces."""
    if os.geteuid() != 0:
        return Home(data_dir, runtime_folder(data_dir), "no")
    if namespaces and namespaces_work():
        return Home(data_dir, runtime_folder(data_dir), "namespace")
    user = unprivileged_user()
    slug = re.sub(r"[^a-z0-9]+", "-", data_dir.parent.name.lower()).strip("-")[:20] or "root"
    folder = STATE_DIRECTORY / f"{slug}-{_digest(data_dir)}"
    for place in (STATE_DIRECTORY, folder):
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
    sockets = folder / "sockets"
    sockets.mkdir(mode=0o700, exist_ok=True)
    os.chown(sockets, user.pw_uid, user.pw_gid)
    say(f"user namespaces are blocked here: the embedded stores live in {folder}, PostgreSQL as user {user.pw_name}.")
    return Home(folder, sockets, str(user.pw_uid))


def namespaces_work() -> bool:
    """Whether the kernel lets us make a user namespace."""
    probe = subprocess.run(
        [*launcher(signal.SIGKILL, "namespace"), "/bin/true"], capture_output=True, timeout=PROBE_SECONDS, check=False
    )
    return probe.returncode == 0


def unprivileged_user() -> pwd.struct_passwd:
    """The first user that PostgreSQL can run as here. Raises StartError if there is none."""
    known = {user.pw_name: user for user in pwd.getpwall() if user.pw_uid != 0}
    for name in UNPRIVILEGED_USERS:
        if name in known:
            return known[name]
    raise StartError("PostgreSQL refuses root and there is no user postgres or nobody here; set DATABASE_URL instead.")


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:DIGEST_LETTERS]


def runtime_path(data_dir: Path) -> Path:
    """Where the sockets of an absolute ``data_dir`` are, whether anything is there or not."""
    return TEMPORARY / f"auri-{_digest(data_dir)}"


def runtime_folder(data_dir: Path) -> Path:
    """A private folder for sockets, made if need be; short, because a socket's path ends at 104 or 108 bytes.

    The same one for the same ``data_dir``. Raises StartError if somebody else made it first.
    """
    folder = runtime_path(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StartError(f"{folder} is not a private folder of yours; remove it, or use another AGENTAURI_DATA_DIR.")
    return folder


def remove_runtime_folder(data_dir: Path) -> None:
    """Remove the folder when a run has ended and left nothing in it; what is still there belongs to somebody."""
    try:
        runtime_path(data_dir).rmdir()
    except OSError:
        return
