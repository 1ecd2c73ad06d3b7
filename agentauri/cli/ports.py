"""Ports that have to be free before anything is started, and who holds one that is not."""

import errno
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from agentauri.config import Settings
from agentauri.errors import StartError

CONNECT_SECONDS = 5.0
LET_GO_SECONDS = 3.0
"""A process that was killed keeps its ports until its last thread is gone; nobody is seen to hold them then."""
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port that the service will listen on, and the variable that moves it."""

    host: str
    port: int
    variable: str


def wanted(settings: Settings) -> Iterator[Wanted]:
    """The ports of these settings that others may hold; none in a cluster that we join, which may hold them rightly."""
    if not settings.ray.address:
        yield Wanted(settings.http.host, settings.http.port, "AGENTAURI_HTTP__PORT")
        yield Wanted("127.0.0.1", settings.ray.dashboard_port, "AGENTAURI_RAY__DASHBOARD_PORT")
        yield Wanted("127.0.0.1", settings.metrics.port, "AGENTAURI_METRICS__PORT")


def check(settings: Settings) -> None:
    """Raise StartError for the first port that is taken, by whom and what to do, or for a cluster that is not there."""
    if settings.ray.address:
        _check_cluster(settings.ray.address)
    deadline = time.monotonic() + LET_GO_SECONDS
    for one in wanted(settings):
        while (reason := why_not(one)) is not None:
            if not _is_being_let_go(one) or time.monotonic() > deadline:
                raise StartError(reason)
            time.sleep(POLL_SECONDS)


def _check_cluster(address: str) -> None:
    """Ray itself would look for a minute and more."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        remedy = "start that cluster, or correct AGENTAURI_RAY__ADDRESS (host:port)."
        raise StartError(f"no Ray cluster answers at {address} ({error}); {remedy}") from error


def why_not(one: Wanted) -> str | None:
    """Why the port cannot be listened on, with the remedy; None when it can."""
    match _refusal(one):
        case None:
            return None
        case OSError(errno=errno.EADDRINUSE):
            return f"port {one.port} is taken{_holder(one.port)}; stop that, or set {one.variable} to a free port."
        case error:
            return f"port {one.port} of {one.host} cannot be used ({error.strerror}); change {one.variable}."


def _refusal(one: Wanted) -> OSError | None:
    family = socket.AF_INET6 if ":" in one.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((one.host, one.port))
            return None
        except OSError as error:
            return error


def _is_being_let_go(one: Wanted) -> bool:
    """Whether it is taken, and nobody is seen to hold it; or not taken any more."""
    refusal = _refusal(one)
    return refusal is None or (refusal.errno == errno.EADDRINUSE and not _holder(one.port))


def _holder(port: int) -> str:
    """Who listens on the port, as far as we may see."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""  # macOS shows this to root alone
    return ""
