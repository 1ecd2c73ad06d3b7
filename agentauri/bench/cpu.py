"""CPU time by part of the service: what a rate costs, which says more than the rate where a machine has other work."""

from collections.abc import Iterable, Mapping

import psutil

from agentauri.store.database import Connection

Reading = Mapping[str, Mapping[int, float]]


class Clock:
    """Reads the CPU seconds of groups of processes; ``database`` is the server with all its children."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._groups: dict[str, list[int]] = {}

    @classmethod
    async def of_database(cls, connection: Connection) -> "Clock":
        """One that knows the server behind ``connection``, on this machine."""
        backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
        return cls(backend.ppid())

    def add(self, name: str, pids: Iterable[int]) -> None:
        """Count these processes under ``name``."""
        self._groups[name] = list(pids)

    def read(self) -> Reading:
        """CPU seconds until now, by group and process."""
        server = psutil.Process(self._postmaster)
        database = [server.pid, *(child.pid for child in server.children(recursive=True))]
        groups = {**self._groups, "database": database}
        return {name: {pid: _seconds(pid) for pid in pids} for name, pids in groups.items()}

    def since(self, before: Reading) -> dict[str, float]:
        """CPU seconds of each group since ``before``; of processes that ended meanwhile nothing is known."""
        return {
            name: sum(now - before[name].get(pid, 0.0) for pid, now in pids.items())
            for name, pids in self.read().items()
        }


def cores() -> int:
    """How many cores this machine has; ``idle_seconds`` counts all of them."""
    return psutil.cpu_count() or 1


def idle_seconds() -> float:
    """CPU seconds in which the machine had nothing to do, since it started."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
