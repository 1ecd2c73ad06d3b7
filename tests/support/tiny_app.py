"""The least that ``agentauri up`` can deploy: an API that is ready at once, for tests of starting and stopping."""

from typing import Any

from fastapi import FastAPI, Request
from ray import serve

from agentauri.config import Settings

app = FastAPI()


@app.get("/api/v1/health/ready")
async def ready(request: Request) -> dict[str, Any]:
    """What the replica sees of the request's way."""
    return {"status": "ready", "peer": request.headers.get("x-agentauri-peer")}


class Api:
    """The application's shell."""


def deploy(_settings: Settings) -> None:
    """What ``deployments.deploy`` does, without everything else."""
    wrapped = serve.deployment(name="Api", ray_actor_options={"num_cpus": 0.1})(serve.ingress(app)(Api))
    serve.run(wrapped.bind(), name="api")
