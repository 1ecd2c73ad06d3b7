"""``bench api``: requests a second through HAProxy, Serve and the whole application, stores included.

The service runs as ``agentauri up`` runs it, without the actors of the path, in a folder and on ports of its own. A
bare FastAPI route stands behind the same Serve, so that what the application itself adds can be told. The load comes
from this process: its work is in every figure.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson

from agentauri.accounts.passwords import Passwords
from agentauri.actors.environment import free_port
from agentauri.bench.http_load import Load, Unexpected, request, send
from agentauri.bench.report import Case, Progress, Report
from agentauri.cli import service
from agentauri.config import Settings

RUNS = 5
SECONDS = 4.0
WARM_UP_SECONDS = 1.0
TRIGGERS = 1_000
CONNECTIONS = 32
MAKERS = 16
"""Connections that create triggers; each is one commit, which more would only queue."""
LOGGING_IN = 8
"""Connections that log in."""
ACCOUNTS = 64
"""So many that no two logins of one account are under way: those take turns."""
PASSWORD = "correct-horse-battery-staple"
HEALTH_BAR, LIST_BAR, LIST_P99_BAR_MS, CREATE_BAR, LOGIN_BAR = 75.0, 1_000.0, 80.0, 300.0, 90.0
DEPLOY = "agentauri.bench.api_deploy:deploy"
CALL_SECONDS = 30.0
TRIGGER = {
    "name": "Low stars",
    "registry": "reputation",
    "conditions": [
        {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": 42},
        {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 60},
    ],
    "actions": [{"action_type": "rest", "config": {"url": "http://127.0.0.1:9900/hook"}}],
}

Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class _Target:
    """The service under load: its port, keys of two organizations, accounts to log in.

    The one of ``key`` has a thousand triggers, and no more while it is asked for them; ``maker`` makes its own.
    """

    port: int
    key: dict[str, str]
    maker: dict[str, str]
    emails: tuple[str, ...]


def _settings(folder: Path) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder,
            "secret_key": os.urandom(32).hex(),
            "http": {"port": free_port()},
            "metrics": {"port": free_port()},
            "ray": {"dashboard_port": free_port()},
            "limits": {"free": {"triggers": 10**6, "actions": 10**6}},
            "log": {"level": "error"},
        }
    )


async def _prepare(port: int) -> _Target:
    emails = tuple(f"bench{number}@example.com" for number in range(ACCOUNTS))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=CALL_SECONDS) as client:
        tokens = [await _post(client, "/auth/register", {"email": one, "password": PASSWORD}) for one in emails]
        maker, key = [await _make_key(client, one["token"]) for one in tokens[:2]]
        for _ in range(TRIGGERS):
            await _post(client, "/triggers", TRIGGER)
    return _Target(port, key, maker, emails)


async def _make_key(client: httpx2.AsyncClient, token: str) -> dict[str, str]:
    """A key of whoever has the token, who is the client's caller from here on; as a header."""
    client.headers["Authorization"] = f"Bearer {token}"
    wanted = {"name": "bench", "permissions": ["triggers:read", "triggers:write"]}
    return {"X-API-Key": str((await _post(client, "/api-keys", wanted))["key"])}


async def _post(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    if answer.is_error:
        raise Unexpected(answer.text)
    data: dict[str, Any] = answer.json()["data"]
    return data


async def _load(target: _Target, requests: list[bytes], status: int, connections: int) -> tuple[float, Load]:
    await send(Load(requests, status), port=target.port, connections=connections, seconds=WARM_UP_SECONDS)
    load = Load(requests, status)
    seconds = await send(load, port=target.port, connections=connections, seconds=SECONDS)
    return load.rate(seconds), load


async def _health(target: _Target, connections: int) -> tuple[float, float, float]:
    """How many in a hundred of the bare route's requests the application does; then both rates."""
    bare, _ = await _load(target, [request("GET", "/bare/live", target.port)], 200, connections)
    ours, _ = await _load(target, [request("GET", "/api/v1/health/live", target.port)], 200, connections)
    return 100 * ours / bare, ours, bare


async def _logins(target: _Target) -> tuple[float, float, float]:
    """How many in a hundred of the hashes that the cores can do are logins; then logins and hashes a second."""
    before = await asyncio.to_thread(_hash_rate)
    bodies = [orjson.dumps({"email": one, "password": PASSWORD}) for one in target.emails]
    requests = [request("POST", "/api/v1/auth/login", target.port, body=body) for body in bodies]
    logins, _ = await _load(target, requests, 200, LOGGING_IN)
    # Before and after, for a machine's speed changes while one looks away.
    hashes = (before + await asyncio.to_thread(_hash_rate)) / 2
    return 100 * logins / hashes, logins, hashes


def _hash_rate() -> float:
    """Argon2id hashes a second of all cores, with nothing else to do."""
    cores = os.cpu_count() or 1
    hasher = Passwords()
    until, began = time.perf_counter() + SECONDS / 2, time.perf_counter()

    def work(_: int) -> int:
        count = 0
        while time.perf_counter() < until:
            hasher.hash_now(PASSWORD)
            count += 1
        return count

    with ThreadPoolExecutor(cores) as threads:
        done = sum(threads.map(work, range(cores)))
    hasher.close()
    return done / (time.perf_counter() - began)


async def _run(port: int, say: Progress) -> list[Case]:
    target = await _prepare(port)
    say(f"{TRIGGERS} triggers, {ACCOUNTS} accounts")
    listing = [request("GET", "/api/v1/triggers?limit=20", port, target.key)]
    creating = [request("POST", "/api/v1/triggers", port, target.maker, orjson.dumps(TRIGGER))]
    found: dict[str, list[float]] = {}
    for run in range(RUNS):
        figures: dict[str, float] = {}
        for connections in (1, CONNECTIONS):
            name = f"health_{connections}"
            figures[name], figures[f"{name}_rate"], figures[f"{name}_bare"] = await _health(target, connections)
        rate, load = await _load(target, listing, 200, CONNECTIONS)
        figures["list_triggers_32"], figures["list_triggers_32_p99_ms"] = rate, load.percentile(0.99)
        figures["login_hash_ratio"], figures["logins"], figures["hashes"] = await _logins(target)
        figures["create_trigger"], _ = await _load(target, creating, 201, MAKERS)
        for name, figure in figures.items():
            found.setdefault(name, []).append(figure)
        say(f"run {run + 1}: " + ", ".join(f"{name} {figure:,.1f}" for name, figure in figures.items()))
    return _cases(found)


def _cases(found: dict[str, list[float]]) -> list[Case]:
    def median(name: str) -> float:
        return round(Case(name, "", found[name]).value, 1)

    cases = []
    for name in ("health_1", "health_32"):
        rates = {"requests_per_second": median(f"{name}_rate"), "bare_requests_per_second": median(f"{name}_bare")}
        cases.append(Case(name, "% of bare", found[name], HEALTH_BAR, parameters=rates))
    size = {"triggers": TRIGGERS, "connections": CONNECTIONS}
    p99 = found["list_triggers_32_p99_ms"]
    logins = {"logins_per_second": median("logins"), "hashes_per_second": median("hashes"), "connections": LOGGING_IN}
    return [
        *cases,
        Case("list_triggers_32", "requests/s", found["list_triggers_32"], LIST_BAR, parameters=size),
        Case("list_triggers_32_p99_ms", "ms", p99, LIST_P99_BAR_MS, lower_is_better=True, parameters=size),
        Case("create_trigger", "requests/s", found["create_trigger"], CREATE_BAR, parameters={"connections": MAKERS}),
        Case("login_hash_ratio", "% of hashes", found["login_hash_ratio"], LOGIN_BAR, parameters=logins),
    ]


def run(say: Progress) -> Report:
    """Measure the API. Raises Unexpected when an answer is not what it should be."""
    with tempfile.TemporaryDirectory(prefix="agentauri-bench-") as folder:
        settings = _settings(Path(folder))
        with service.running(settings, deploy=DEPLOY):
            return Report("api", asyncio.run(_run(settings.http.port, say)))
