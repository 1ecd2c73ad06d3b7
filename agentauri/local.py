"""The embedded PostgreSQL and Valkey behind ``agentauri up``: servers of our own in ``data_dir``, for one machine.

Guarantees that they die with this process (SIGKILL included, on Linux), that what they stored is there at the next
start, that a run which was killed is cleaned up after, and that two runs never share a ``data_dir``.
Not for production: there DATABASE_URL and REDIS_URL name real servers and nothing here runs.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentauri import local_home
from agentauri.errors import StartError
from agentauri.local_postgres import Postgres
from agentauri.local_valkey import Valkey
from agentauri.processes import Say, Server, unheard


@dataclass(frozen=True, slots=True)
class Claim:
    """The proof that this process alone uses ``folder`` (an absolute ``data_dir``)."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the stores answer, and which of them are ours to look after."""

    database_url: str
    redis_url: str
    servers: tuple[Server, ...] = ()

    def revive(self) -> None:
        """Start again what died. Raises StartError."""
        for server in self.servers:
            server.revive()


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
def stores(
    claim: Claim, *, database_url: str = "", redis_url: str = "", durable: bool = True, say: Say = unheard
) -> Iterator[Addresses]:
    """Both stores until the end of the block; a server of ours only where no address is given. Raises StartError.

    ``durable=False`` lets a power cut lose data; it is for tests.
    """
    if database_url and redis_url:
        yield Addresses(database_url, redis_url)
        return
    home = local_home.choose(claim.folder, say)
    postgres, valkey = Postgres(home, say, durable=durable), Valkey(home, say)
    ours: list[Server] = ([] if database_url else [postgres]) + ([] if redis_url else [valkey])
    with ExitStack() as stack:
        stack.callback(local_home.remove_runtime_folder, claim.folder)
        for server in ours:
            stack.callback(server.stop)
            server.start()
        yield Addresses(database_url or postgres.url, redis_url or valkey.url, tuple(ours))
