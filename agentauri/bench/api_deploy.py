"""What ``bench api`` deploys: the API as it is, and a bare FastAPI route behind the same Serve to hold it against."""

from fastapi import FastAPI
from ray import serve
from ray.serve import RunTarget

from agentauri.config import Settings
from agentauri.serve.deployments import API_REPLICAS, LOGS, MAX_ONGOING_REQUESTS, MAX_QUEUED_REQUESTS, api_application

BARE_CPUS = 0.1


class Bare:
    """Builds the bare application in its own replica."""

    def __serve_build_asgi_app__(self) -> FastAPI:
        """What Serve calls for the application."""
        app = FastAPI(openapi_url=None)

        @app.get("/live")
        async def live() -> dict[str, str]:
            return {"status": "alive"}

        return app


def deploy(settings: Settings) -> None:
    """Run both applications."""
    bare = serve.deployment(
        name="Bare",
        num_replicas=API_REPLICAS,
        ray_actor_options={"num_cpus": BARE_CPUS},
        max_ongoing_requests=MAX_ONGOING_REQUESTS,
        max_queued_requests=MAX_QUEUED_REQUESTS,
        logging_config=LOGS,
    )(serve.ingress()(Bare))
    serve.run_many(
        [
            RunTarget(api_application(settings), name="api", route_prefix="/"),
            RunTarget(bare.bind(), name="bare", route_prefix="/bare"),
        ]
    )
