"""Health, for people, load balancers and orchestrators; without credentials and without the envelope."""

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.serve import API
from agentauri.serve.answers import Json
from agentauri.serve.context import In
from agentauri.serve.routing import Route
from agentauri.serve.system.schemas import Alive, Health, Ready

router = APIRouter(prefix=API, tags=["system"], route_class=Route)
ALIVE = b'{"status":"alive"}'


@router.get(
    "/health",
    operation_id="get_health",
    response_model=Health,
    responses={503: {"model": Health, "description": "A part is away"}},
)
async def get_health(context: In) -> Response:
    """Every part the service stands on; 503 when one is away."""
    report = await context.monitor.report()
    return Json(report.public(), 200 if report.healthy else 503)


@router.get("/health/live", operation_id="get_liveness", response_model=Alive)
async def get_liveness() -> Response:
    """The process answers; asks nobody else."""
    return Response(ALIVE, media_type="application/json")


@router.get(
    "/health/ready",
    operation_id="get_readiness",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "The database is away"}},
)
async def get_readiness(context: In) -> Response:
    """Whether requests can be served: the database answers."""
    report = await context.monitor.report()
    return Json({"status": "ready" if report.database else "not_ready"}, 200 if report.database else 503)
