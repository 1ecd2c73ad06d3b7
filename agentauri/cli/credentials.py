"""Where ``agentauri login`` keeps what it got: one file of the user's own, an entry an API.

Guarantees that the file is never readable for others, is replaced whole or not at all, and that of two terminals
which change it (or spend a refresh token) one waits for the other. Keeps no password.
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from agentauri.errors import ConfigError

NAME = "credentials.json"
DEFAULT_API = "http://127.0.0.1:8000"
API_PATH = "/api/v1"
LOCK_SECONDS = 60.0
"""Longer than a refresh takes that the other terminal may be waiting for."""
LOCK_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login with a password. ``expires_at``: when the access token does, in seconds since 1970."""

    token: str
    refresh_token: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Key:
    """An API key that was stored."""

    key: str


Login = Tokens | Key


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file holds: logins by address of the API, and the address that was logged in to last."""

    current: str = ""
    logins: dict[str, Login] = field(default_factory=dict)


class CredentialsFile:
    """The file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def read(self) -> Saved:
        """What is saved; nothing if there is no file. Raises ConfigError when it is broken or another's."""
        try:
            with self.path.open("rb") as file:
                _make_private(self.path, os.fstat(file.fileno()))
                raw = orjson.loads(file.read())
            return Saved(raw["current"], {api: _login(entry) for api, entry in raw["logins"].items()})
        except FileNotFoundError:
            return Saved()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"{self.path} cannot be read ({error}); remove it and run: agentauri login") from error

    def put(self, api: str, login: Login, *, make_current: bool = False) -> None:
        """Keep ``login`` for ``api``. Only while ``locked``."""
        saved = self.read()
        current = api if make_current else saved.current
        self._write(Saved(current, {**saved.logins, api: login}))

    def remove(self, api: str) -> None:
        """Forget what is kept for ``api``, if anything. Only while ``locked``."""
        saved = self.read()
        if api in saved.logins:
            left = {other: login for other, login in saved.logins.items() if other != api}
            self._write(Saved("" if saved.current == api else saved.current, left))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No other command changes the file while the block runs. Raises ConfigError when one does for too long."""
        path = self.path.with_suffix(".lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigError(f"{path} cannot be made ({error.strerror}); set XDG_CONFIG_HOME.") from error
        try:
            _lock(number, path)
            yield
        finally:
            os.close(number)  # which lets go of the lock

    def _write(self, saved: Saved) -> None:
        whole = {"current": saved.current, "logins": {api: asdict(login) for api, login in saved.logins.items()}}
        half = self.path.with_suffix(f".{os.getpid()}.part")
        try:
            half.unlink(missing_ok=True)
            with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            half.replace(self.path)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written ({error.strerror}).") from error


def folder() -> Path:
    """The user's folder for our files: in XDG_CONFIG_HOME, else ~/.config. Raises ConfigError."""
    try:
        given = os.environ.get("XDG_CONFIG_HOME", "")
        base = Path(given) if Path(given).is_absolute() else Path.home() / ".config"
    except RuntimeError as error:
        raise ConfigError("this user has no home directory; set XDG_CONFIG_HOME.") from error
    return base / "agentauri"


def parse_api(text: str) -> str:
    """The address of an API in its one spelling, without path. Raises ConfigError."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"--api is no address: {error}.") from None
    path = parts.path.rstrip("/").removesuffix(API_PATH)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(f"--api has to be an http:// or https:// address such as {DEFAULT_API}.")
    if parts.username or parts.password:
        raise ConfigError("--api must not hold a user or password; run: agentauri login")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return urlunsplit((parts.scheme, host if port is None else f"{host}:{port}", path, "", ""))


def _login(raw: dict[str, Any]) -> Login:
    return Key(**raw) if "key" in raw else Tokens(**raw)


def _lock(number: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ConfigError(f"another command holds {path} for over {LOCK_SECONDS:.0f} s.") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be locked ({error.strerror}); set XDG_CONFIG_HOME.") from error
        time.sleep(LOCK_POLL_SECONDS)


def _make_private(path: Path, status: os.stat_result) -> None:
    """Close a file that others may read. Raises ConfigError if it is not this user's."""
    if status.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to another user; move it away and run: agentauri login")
    if stat.S_IMODE(status.st_mode) & 0o077:
        path.chmod(0o600)
