"""What other programs look for at fixed places: keys of access tokens, the OAuth endpoint, whom to tell of holes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from agentauri.accounts.roles import Scope
from agentauri.serve import API
from agentauri.serve.answers import Json
from agentauri.serve.context import In
from agentauri.serve.routing import Route
from agentauri.serve.schemas import Schema

router = APIRouter(prefix="/.well-known", tags=["well-known"], route_class=Route)
CACHE_SECONDS = 300
CONTACT_DAYS = 180
"""For how long security.txt vouches for itself; RFC 9116 wants less than a year."""


class Jwks(Schema):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


class AuthorizationServer(Schema):
    """What OAuth clients have to know (RFC 8414)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    service_documentation: str


@router.get("/jwks.json", operation_id="get_jwks", response_model=Jwks)
async def get_jwks(context: In) -> Response:
    """The Ed25519 keys that sign access tokens now, or will soon."""
    return _cached(Json(context.keys.tokens.jwks(datetime.now(UTC))))


@router.get("/oauth-authorization-server", operation_id="get_oauth_metadata", response_model=AuthorizationServer)
async def get_oauth_metadata(context: In) -> Response:
    """Where OAuth clients get tokens, and how; there is no authorization endpoint, so no response type."""
    home = context.settings.public_url
    return _cached(
        Json(
            {
                "issuer": home,
                "token_endpoint": f"{home}{API}/oauth/token",
                "jwks_uri": f"{home}/.well-known/jwks.json",
                "scopes_supported": sorted(Scope),
                "response_types_supported": [],
                "grant_types_supported": ["client_credentials", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "service_documentation": f"{home}/docs",
            }
        )
    )


@router.get("/security.txt", operation_id="get_security_txt", response_class=PlainTextResponse)
async def get_security_txt(context: In) -> Response:
    """Whom to tell of a security hole (RFC 9116)."""
    settings = context.settings
    expires = (datetime.now(UTC) + timedelta(days=CONTACT_DAYS)).replace(hour=0, minute=0, second=0)
    lines = {
        "Contact": settings.security_contact or settings.public_url,
        "Expires": f"{expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages": "en",
        "Canonical": f"{settings.public_url}/.well-known/security.txt",
    }
    return _cached(PlainTextResponse("".join(f"{name}: {value}\n" for name, value in lines.items())))


def _cached(answer: Response) -> Response:
    answer.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    return answer
