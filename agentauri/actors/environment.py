"""The environment of a local Ray cluster: set before anything of Ray is imported, inherited by every process of it.

Ray and Serve read most of their settings from the environment at import. Here they stand in one place: token
authentication, HAProxy in front with ports and files of this cluster alone, and sizes for a machine of two cores.
Imports nothing of Ray.
"""

import os
import secrets
import socket
from pathlib import Path

PORT_SPAN = 100
"""Replica ports of one cluster; each ingress replica takes one."""
OWN_PORTS = range(20_000, 29_900)
REPLICA_PORTS = range(30_000, 40_000, PORT_SPAN)
DRAIN_SECONDS = 1
"""How long Serve keeps a stopping replica for the sake of its proxies; its default of 30 is for many nodes."""
TOKEN_BYTES = 32
PRIORITY = {"RAY_worker_niceness": "0"}
"""Ray's default of 15 is for batch work; here the workers are the service, and would starve beside the stores."""


def variables(folder: Path, *, token: Path, haproxy: Path | None) -> dict[str, str]:
    """What the cluster's processes find in their environment.

    ``folder``: a short private path for sockets and files. ``haproxy``: what Serve starts as HAProxy; None where
    there is none (macOS), then Serve's own proxy stands in front.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system: one machine, so loopback alone
        "RAY_DEDUP_LOGS": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        **PRIORITY,
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "1000",  # not 100: a fortieth of what a request costs
        "RAY_SERVE_LOG_TO_STDERR": "1",  # or replicas' lines go into files of Serve's own, and late
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_SECONDS),
        **({} if haproxy is None else _haproxy(folder, haproxy)),
    }


def _haproxy(folder: Path, binary: Path) -> dict[str, str]:
    first, stats, metrics, fallback = _free_span(), free_port(), free_port(), free_port()
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(binary),
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "a"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "state"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "m"),
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "30",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(fallback),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + PORT_SPAN),
    }


def token_file(data_dir: Path, *, joined: bool) -> Path:
    """Where the token is: of our own cluster in ``data_dir``, of one that we join where Ray looks for it itself."""
    if joined:
        return Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    return keep_token(data_dir / "ray_token")


def keep_token(file: Path) -> Path:
    """The cluster's token, made on first use with mode 0600."""
    if not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(secrets.token_hex(TOKEN_BYTES))
    return file


def free_port() -> int:
    """A loopback port that nobody listens on now, outside the range that systems give to whoever asks for any port.

    From that range somebody's connection could take it before we do, or while we are away.
    """
    while True:
        port = secrets.choice(OWN_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _free_span() -> int:
    """The first of PORT_SPAN ports whose beginning is free: two clusters on a machine take different ones."""
    for first in REPLICA_PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", first))
            except OSError:
                continue
            return first
    return REPLICA_PORTS.start
