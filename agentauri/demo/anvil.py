"""A real EVM node on this machine: anvil of the pinned npm packages, on a free loopback port, one block a transaction.

Guarantees that the node dies with whoever started it. Deploys nothing (emitter.py does).
"""

import json
import platform
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentauri import processes

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
CHAIN_ID = 31337
READY_SECONDS = 15.0
CALL_SECONDS = 10.0
STOP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Anvil:
    """A running node."""

    url: str
    pid: int
    chain_id: int = CHAIN_ID

    def call(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call; raises RuntimeError with the node's message when it answers an error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
            found = json.load(answer)
        if "error" in found:
            raise RuntimeError(found["error"]["message"])
        return found["result"]


def binary() -> Path:
    """Where the package of this platform has its program, installed or not."""
    kind = f"{platform.system().lower()}-{MACHINES.get(platform.machine().lower(), 'unknown')}"
    return ROOT / "node_modules" / "@foundry-rs" / f"anvil-{kind}" / "bin" / "anvil"


def missing() -> str | None:
    """Why there is no node to run here; None when there is one."""
    if binary().exists():
        return None
    return f"no anvil at {binary().relative_to(ROOT)}; run make install with npm present"


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Anvil]:
    """A node until the end of the block; its log lands in ``folder``. ``arguments`` are anvil's own options.

    Raises StartError when it does not come up.
    """
    port, log = _free_port(), folder / "anvil.log"
    options = ["--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_ID), "--silent", *arguments]
    child = processes.start([binary(), *options], folder=folder, log=log, death_signal=signal.SIGKILL)
    try:
        processes.wait_until(lambda: _listens(port), child, seconds=READY_SECONDS, what="anvil", log=log)
        yield Anvil(f"http://127.0.0.1:{port}", child.pid)
    finally:
        processes.stop(child, signal.SIGTERM, seconds=STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
