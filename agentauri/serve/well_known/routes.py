"""The public keys of access tokens, where other services look for them."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.serve.answers import Json
from agentauri.serve.context import In
from agentauri.serve.schemas import Schema

router = APIRouter(prefix="/.well-known", tags=["well-known"])
CACHE_SECONDS = 300


class Jwks(Schema):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


@router.get("/jwks.json", operation_id="get_jwks", response_model=Jwks)
async def get_jwks(context: In) -> Response:
    """The Ed25519 keys that sign access tokens now, or will soon."""
    answer = Json(context.keys.tokens.jwks(datetime.now(UTC)))
    answer.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    return answer
