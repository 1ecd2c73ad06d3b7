"""The circuit breaker of a trigger: look at it, set it, open it, reset it."""

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.context import In
from agentauri.serve.principal import Anonymous
from agentauri.serve.reading import Route
from agentauri.serve.schemas import Id
from agentauri.serve.triggers import breaker
from agentauri.serve.triggers.breaker_schemas import BreakerChange, CircuitBreakerAnswer
from agentauri.serve.triggers.routes import ReaderOf, WriterOf

router = APIRouter(prefix=f"{API}/triggers/{{trigger_id}}/circuit-breaker", tags=["triggers"], route_class=Route)


@router.get("", operation_id="get_circuit_breaker", response_model=CircuitBreakerAnswer)
async def get_circuit_breaker(context: In, principal: ReaderOf, trigger_id: Id) -> Response:
    """Whether the trigger's deliveries are sent, and what was counted against them."""
    return one(await breaker.get(context, principal, trigger_id))


@router.patch("", operation_id="change_circuit_breaker", response_model=CircuitBreakerAnswer)
async def change_circuit_breaker(
    context: In, principal: WriterOf, client: Anonymous, trigger_id: Id, body: BreakerChange
) -> Response:
    """Change the settings that are sent; state and count stay."""
    async with context.pool.acquire() as connection, connection.transaction():
        return one(await breaker.configure(connection, principal, client, trigger_id, body.sent()))


@router.post("/reset", operation_id="reset_circuit_breaker", response_model=CircuitBreakerAnswer)
async def reset_circuit_breaker(context: In, principal: WriterOf, client: Anonymous, trigger_id: Id) -> Response:
    """Close it, and count from nothing. What was suppressed meanwhile stays so until it is replayed."""
    async with context.pool.acquire() as connection, connection.transaction():
        return one(await breaker.reset(connection, principal, client, trigger_id))


@router.post("/open", operation_id="open_circuit_breaker", response_model=CircuitBreakerAnswer)
async def open_circuit_breaker(context: In, principal: WriterOf, client: Anonymous, trigger_id: Id) -> Response:
    """Open it now: new deliveries are suppressed for its recovery time; then it lets some through, as ever."""
    async with context.pool.acquire() as connection, connection.transaction():
        return one(await breaker.open_(connection, principal, client, trigger_id))
