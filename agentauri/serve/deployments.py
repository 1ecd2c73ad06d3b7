"""The two Serve applications: ``api`` answers HTTP, ``control`` keeps the actors of the path alive.

Replica classes stay undecorated and are wrapped here, so that a replica which is started again has the code of its
module. Every limit of a deployment is set: how much is under way and in line before 503, how a new version takes over,
how long a stopping replica may take.
"""

from fastapi import FastAPI
from ray import serve
from ray.serve import Application, RunTarget
from ray.serve.schema import LoggingConfig

from agentauri import collector, logs
from agentauri.actors import tasks
from agentauri.actors.supervisor import Supervisor
from agentauri.config import Settings
from agentauri.serve.app import create_app
from agentauri.serve.inside import stay_inside

API_REPLICAS = 2
"""One process cannot use a second core: two answer a third more lists, and go on when one is lost."""
API_REPLICA_CPUS = 0.2
CONTROL_REPLICA_CPUS = 0.1
"""Shares for placing replicas, not limits."""
MAX_ONGOING_REQUESTS = 256
MAX_QUEUED_REQUESTS = 512
STOP_SECONDS = 5.0
STOP_POLL_SECONDS = 0.1
HEALTH_PERIOD_SECONDS = 5.0
HEALTH_TIMEOUT_SECONDS = 10.0
SURGE_PERCENT = 100
"""A new version stands beside the old one until it is ready."""
LOGS = LoggingConfig(log_level="WARNING", enable_access_log=False)
"""Serve makes a record for each request otherwise, even where nothing is written. Our lines do not come this way."""


def _set_up(settings: Settings) -> None:
    """What every replica's process begins with."""
    logs.setup(level=settings.log.level, json=settings.environment == "production")
    if not settings.ray.address:
        stay_inside()


class ApiReplica:
    """Builds the HTTP application in the replica's own process."""

    def __init__(self, settings: Settings) -> None:
        _set_up(settings)
        self._settings = settings

    def __serve_build_asgi_app__(self) -> FastAPI:
        """What Serve calls for the application."""
        app = create_app(self._settings)
        collector.spare()  # looking through all of it for cycles would halt every request for 0.13 s
        return app


class ControlReplica:
    """Holds the Supervisor. A Supervisor that does not start makes the replica unhealthy, and Serve replaces it."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]  # Serve awaits constructors
        _set_up(settings)
        self._supervisor = Supervisor(settings)
        self._starting = tasks.spawn(self._supervisor.start(), name="start supervisor")

    async def check_health(self) -> None:
        """Raise what the start of the Supervisor raised, if it did."""
        if self._starting.done():
            self._starting.result()

    def __del__(self) -> None:
        """What Serve calls when the replica is to end: a beat would only meet what is ending around it."""
        self._starting.cancel()
        self._supervisor.rest()


def api_application(settings: Settings) -> Application:
    """The HTTP API."""
    wrapped = serve.deployment(
        name="Api",
        num_replicas=API_REPLICAS,
        ray_actor_options={"num_cpus": API_REPLICA_CPUS},
        max_ongoing_requests=MAX_ONGOING_REQUESTS,
        max_queued_requests=MAX_QUEUED_REQUESTS,
        max_surge_percent=SURGE_PERCENT,
        graceful_shutdown_timeout_s=STOP_SECONDS,
        graceful_shutdown_wait_loop_s=STOP_POLL_SECONDS,
        health_check_period_s=HEALTH_PERIOD_SECONDS,
        health_check_timeout_s=HEALTH_TIMEOUT_SECONDS,
        logging_config=LOGS,
    )(serve.ingress()(ApiReplica))
    return wrapped.bind(settings)


def control_application(settings: Settings) -> Application:
    """The Supervisor's home. Nobody calls it; a new version waits until the old one is gone."""
    wrapped = serve.deployment(
        name="Control",
        num_replicas=1,
        ray_actor_options={"num_cpus": CONTROL_REPLICA_CPUS},
        max_ongoing_requests=1,
        max_queued_requests=1,
        max_surge_percent=0,
        graceful_shutdown_timeout_s=STOP_SECONDS,
        graceful_shutdown_wait_loop_s=STOP_POLL_SECONDS,
        health_check_period_s=HEALTH_PERIOD_SECONDS,
        health_check_timeout_s=HEALTH_TIMEOUT_SECONDS,
        logging_config=LOGS,
    )(ControlReplica)
    return wrapped.bind(settings)


def deploy(settings: Settings) -> None:
    """Run both applications, and return when they do. Raises RuntimeError when one cannot be deployed."""
    serve.run_many(
        [
            RunTarget(control_application(settings), name="control", route_prefix=None),
            RunTarget(api_application(settings), name="api", route_prefix="/"),
        ]
    )
