"""The launcher between Ray Serve and HAProxy: makes the configuration say who the client is, and close what is open.

Serve starts it instead of HAProxy at every reload. It rewrites Serve's configuration file in place, so that the peer's
address reaches the application in a header which no client can set, statistics and metrics listen on loopback, the
admin socket is the owner's alone, and only the API itself is on the address of the settings. Clients cannot speak to
Serve itself either: headers that steer it are taken away, requests that it would fail at are refused. Then it becomes
HAProxy, which dies with the Serve proxy that started it. Run as a script it imports the standard library alone.
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
HEAD_SECONDS = 15
"""For all headers of a request; without a bound, who sends none holds one of few connections for an hour."""
FRONT = f"""\
    unique-id-format %[uuid()]
    timeout http-request {HEAD_SECONDS}s
    http-request set-header {PEER} %[src]
    http-request del-header X-Request-ID if {{ req.fhdr(X-Request-ID) -m reg [^!-~]|^$|^.{{129}} }}
    http-request del-header ^(serve[-_]multiplexed[-_]model[-_]id|x[-_]session[-_]id)$ -m reg
    http-request del-header ^x-request-(timeout-seconds|disconnect-disabled)$ -m reg
    http-request deny deny_status 405 unless {{ method GET HEAD POST PUT PATCH DELETE OPTIONS TRACE }}
    http-response set-header X-Request-ID %[res.fhdr(X-Request-ID,1)] if {{ res.fhdr(X-Request-ID) -m found }}
    http-response del-header Server
"""
"""What stands before every other rule of the API.

Serve decodes ids of requests and its own headers as UTF-8 and fails where they are not; it obeys its own, such as one
not to notice that a client has gone. It adds the request's id a second time, unchecked; the first is the application's.
"""
ERRORS = {
    405: ("method_not_allowed", "Method not allowed", "this path does not know this method."),
    500: ("internal", "Something went wrong here", "the request failed through no fault of yours."),
    502: ("unavailable", "Not available at this moment", "the API does not answer; try again in a few seconds."),
    503: ("unavailable", "Not available at this moment", "the API does not answer; try again in a few seconds."),
    504: ("unavailable", "Not available at this moment", "the API does not answer; try again in a few seconds."),
}
"""HAProxy's own answers: code, title and detail, in the form of all other errors."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Those of every answer, on HAProxy's own too."""
PR_SET_PDEATHSIG = 1
FRONTEND = re.compile(r"^(frontend http_frontend\n)(?: *bind [^\n]*:(\d+)\n)", re.MULTILINE)
METRICS = re.compile(r"^(frontend prometheus\n *bind )[^\s:]*:(?=\d)", re.MULTILINE)
STATISTICS = re.compile(r"^(listen stats\n *bind )[^\s:]*:(?=\d)", re.MULTILINE)
ADMIN = re.compile(r"^( *stats socket \S+ mode )\d+", re.MULTILINE)
ACCESS_LOG = re.compile(r"^( *log \S+ local0) info$", re.MULTILINE)


def _answer(status: int, code: str, title: str, detail: str) -> str:
    """The directive that makes HAProxy's own ``status`` a problem+json answer."""
    body = (
        f'{{"type":"urn:agentauri:error:{code}","title":"{title}","status":{status},"detail":"{detail}",'
        f'"instance":"%[path,json(utf8s)]","error":"{code}","message":"{detail}","request_id":"%ID"}}'
    )
    headers = HEADERS | {"X-Request-ID": "%ID"} | ({"Retry-After": "5"} if code == "unavailable" else {})
    added = "".join(f' hdr {name} "{value}"' for name, value in headers.items())
    return f"    http-error status {status} content-type application/problem+json lf-string '{body}'{added}\n"


def rewrite(config: str, host: str) -> str:
    """Serve's configuration with our changes; ``host`` is where the API listens. Raises ValueError on another form."""
    if PEER in config:
        return config
    address = f"[{host}]" if ":" in host else host
    errors = "".join(_answer(status, *told) for status, told in ERRORS.items())
    for pattern, change in (
        (FRONTEND, rf"\g<1>    bind {address}:\g<2>\n{FRONT}"),
        (METRICS, rf"{errors}\g<1>127.0.0.1:"),
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
