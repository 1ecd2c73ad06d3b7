"""The whole service on this machine, up for as long as a block lasts: stores, migrations, Ray, Serve, actors.

Guarantees that nothing of it outlives the block, whatever ends it and however far the start had come, and that a run
which was killed is cleaned up after. ``agentauri up`` and ``agentauri demo`` stand on this.
"""

import asyncio
import os
import signal
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from agentauri import local, local_home, processes
from agentauri.chain import registries
from agentauri.cli import ports, run_file
from agentauri.cli.cluster_process import Cluster, ClusterProcess
from agentauri.cli.console import say, step
from agentauri.cli.runner import DEPLOY
from agentauri.config import Settings, Stores
from agentauri.errors import StartError
from agentauri.store import checkpoints, database, migrate

READY_PATH = "/api/v1/health/ready"
READY_SECONDS = 30.0
CALL_SECONDS = 2.0
POLL_SECONDS = 0.1
RESTARTS = 3
RESTART_WINDOW_SECONDS = 300.0


@dataclass(slots=True)
class Service:
    """A service that is up. ``settings`` have the stores' addresses filled in."""

    settings: Settings
    stores: local.Addresses
    cluster: Cluster
    process: ClusterProcess
    restarts: deque[float]

    @property
    def api_url(self) -> str:
        """Where the API answers on this machine."""
        return api_url(self.settings)

    def watch(self) -> None:
        """One look: start again what died. Raises StartError when the cluster dies again and again."""
        self.stores.revive()
        if not self.process.has_ended():
            return
        now = time.monotonic()
        self.restarts.append(now)
        if len(self.restarts) > RESTARTS and now - self.restarts[-RESTARTS - 1] < RESTART_WINDOW_SECONDS:
            raise StartError(f"the cluster ended {RESTARTS + 1} times in a few minutes; see service.log in data_dir.")
        say("the Ray cluster ended by itself and is built again; nothing that PostgreSQL holds is lost.")
        self.cluster = _start_cluster(self.process, self.settings)
        _publish(self)


def api_url(settings: Settings) -> str:
    """Where the API of these settings answers on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.http.host, settings.http.host)
    return f"http://{host}:{settings.http.port}"


@contextmanager
def running(settings: Settings, *, deploy: str = DEPLOY) -> Iterator[Service]:
    """The service, ready when the block begins. Raises StartError or ConfigError with the remedy.

    From here on SIGTERM and SIGHUP end the block as Ctrl-C does; while it ends, further ones are not heard.
    """
    for chain in settings.chains:
        registries.watch(**chain.model_dump())
    processes.adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with local.claim(settings.data_dir) as claim:
            settings = settings.model_copy(update={"data_dir": claim.folder})
            try:
                with _up(settings, claim, deploy) as service:
                    yield service
            finally:
                local_home.remove_runtime_folder(claim.folder)
    finally:
        processes.end(processes.descendants())
        processes.reap()


def _interrupt(_number: int, _frame: object) -> None:
    """Once: what is raised here must not be raised again into the middle of a stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _up(settings: Settings, claim: local.Claim, deploy: str) -> Iterator[Service]:
    folder = local_home.runtime_folder(claim.folder) / "ray"
    processes.end_leftovers(folder, "Ray and HAProxy", say)
    run_file.remove(claim.folder)
    ports.check(settings)
    with ExitStack() as stack:
        with step("PostgreSQL and Valkey" if _embedded(settings) else "PostgreSQL and Redis, as configured"):
            addresses = stack.enter_context(_stores(settings, claim))
            settings = with_stores(settings, addresses.database_url, addresses.redis_url)
            asyncio.run(check_stores(settings))
        with step("database schema"):
            asyncio.run(migrate_database(settings))
        process = ClusterProcess(settings, folder, say, deploy)
        stack.callback(process.stop)
        stack.callback(run_file.remove, claim.folder)
        service = Service(settings, addresses, _start_cluster(process, settings), process, deque(maxlen=RESTARTS + 1))
        _publish(service)
        yield service


def _embedded(settings: Settings) -> bool:
    stores = settings.stores
    return not (stores.database_url.get_secret_value() and stores.redis_url.get_secret_value())


def _stores(settings: Settings, claim: local.Claim) -> AbstractContextManager[local.Addresses]:
    given = settings.stores
    database_url, redis_url = given.database_url.get_secret_value(), given.redis_url.get_secret_value()
    return local.stores(claim, database_url=database_url, redis_url=redis_url, say=say)


def with_stores(settings: Settings, database_url: str, redis_url: str) -> Settings:
    """The settings with these addresses of the stores."""
    stores = Stores(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url))
    return settings.model_copy(update={"stores": stores})


async def check_stores(settings: Settings) -> None:
    """Refuse stores that cannot be reached or cannot keep the promises. Raises StartError with the remedy."""
    connection = await database.connect(settings.stores.database_url.get_secret_value(), name="start")
    try:
        await database.check_server(connection)
    finally:
        await connection.close()
    client = checkpoints.connect(settings.stores.redis_url.get_secret_value())
    try:
        await checkpoints.check_redis(client)
    except checkpoints.REDIS_AWAY as error:
        raise StartError(f"Redis cannot be used ({error}); check REDIS_URL and the server.") from error
    finally:
        await client.aclose()


async def migrate_database(settings: Settings) -> int:
    """Bring the database's schema up to date, and say what was applied; returns how many migrations that were."""
    connection = await database.connect(settings.stores.database_url.get_secret_value(), name="migrate")
    try:
        return await migrate.migrate(connection, applied=lambda name: say(f"  migration {name}"))
    finally:
        await connection.close()


def _start_cluster(process: ClusterProcess, settings: Settings) -> Cluster:
    with step("Ray, Serve, API and actors"):
        cluster = process.start()
        _wait_until_ready(api_url(settings))
    return cluster


def _wait_until_ready(url: str) -> None:
    """Wait until the API answers through everything that stands before it."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}{READY_PATH}", timeout=CALL_SECONDS):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise StartError(f"the API at {url} does not answer ({error}); see service.log in data_dir.") from error
        time.sleep(POLL_SECONDS)


def _publish(service: Service) -> None:
    run = run_file.Run(
        pid=os.getpid(),
        started=run_file.started(os.getpid()),
        api_url=service.api_url,
        ray_address=service.cluster.ray_address,
        dashboard_url=service.cluster.dashboard_url,
        token_file=str(service.process.token),
        database_url=service.stores.database_url,
        redis_url=service.stores.redis_url,
    )
    run_file.write(service.settings.data_dir, run)
