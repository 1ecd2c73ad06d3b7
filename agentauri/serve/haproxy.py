"""The launcher between Ray Serve and HAProxy: makes the configuration say who the client is, and close what is open.

Serve starts it instead of HAProxy at every reload. It rewrites Serve's configuration file in place, so that the peer's
address reaches the application in a header which no client can set, statistics and metrics listen on loopback, the
admin socket is the owner's alone, and only the API itself is on the address of the settings. Then it becomes HAProxy,
which dies with the Serve proxy that started it. Run as a script it imports the standard library alone.
A configuration that it does not understand stops it: better no API than one that believes a forged address.
"""

import ctypes
import os
import re
import shlex
import signal
import stat
import sys
from pathlib import Path

PEER = "X-AgentAuri-Peer"
ANSWERS = "    http-response set-header X-Request-ID %[res.fhdr(X-Request-ID,1)]\n    http-response del-header Server\n"
"""Serve adds the request's id a second time, unchecked; the first is the application's own."""
PR_SET_PDEATHSIG = 1
FRONTEND = re.compile(r"^(frontend http_frontend\n)(?: *bind [^\n]*:(\d+)\n)", re.MULTILINE)
METRICS = re.compile(r"^(frontend prometheus\n *bind )[^\s:]*:(?=\d)", re.MULTILINE)
STATISTICS = re.compile(r"^(listen stats\n *bind )[^\s:]*:(?=\d)", re.MULTILINE)
ADMIN = re.compile(r"^( *stats socket \S+ mode )\d+", re.MULTILINE)
ACCESS_LOG = re.compile(r"^( *log \S+ local0) info$", re.MULTILINE)


def rewrite(config: str, host: str) -> str:
    """Serve's configuration with our changes; ``host`` is where the API listens. Raises ValueError on another form."""
    if PEER in config:
        return config
    address = f"[{host}]" if ":" in host else host
    api = rf"\g<1>    bind {address}:\g<2>\n    http-request set-header {PEER} %[src]\n{ANSWERS}"
    for pattern, change in (
        (FRONTEND, api),
        (METRICS, r"\g<1>127.0.0.1:"),
        (STATISTICS, r"\g<1>127.0.0.1:"),
        (ADMIN, r"\g<1>600"),
        (ACCESS_LOG, r"\g<1> err"),
    ):
        config, count = pattern.subn(change, config)
        if count != 1:
            raise ValueError(
                f"HAProxy's configuration has {count} places for {pattern.pattern!r}; this Ray is too new."
            )
    return config


def install(folder: Path, *, binary: Path, host: str) -> Path:
    """Write the script that Serve is to start as its HAProxy (RAY_SERVE_HAPROXY_BINARY_PATH), and return its path."""
    words = [sys.executable, "-I", "-S", str(Path(__file__)), str(binary), host]
    script = folder / "haproxy"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(stat.S_IRWXU)
    return script


def main(words: list[str]) -> None:
    """Rewrite the file that follows ``-f`` and become HAProxy, which dies with its parent."""
    binary, host, *arguments = words
    file = Path(arguments[arguments.index("-f") + 1])
    file.write_text(rewrite(file.read_text("utf-8"), host), "utf-8")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
