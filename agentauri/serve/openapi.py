"""The OpenAPI document: what FastAPI derives from the routes, made complete and true.

Adds to every operation the errors that it can end in with an example each, the headers that it takes and gives, the
credentials, and the operations that follow it; removes FastAPI's own validation error, which never occurs here.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from agentauri.serve.csrf import SAFE_METHODS
from agentauri.serve.openapi_headers import COMPONENTS, describe_headers
from agentauri.serve.openapi_inputs import tell_body_is_no_null, tell_limits_of_text
from agentauri.serve.openapi_links import add_links
from agentauri.serve.problems import CODES, TITLES, TYPE_PREFIX
from agentauri.serve.schemas import EXAMPLE_ID, Problem

VERSION = "3.1.0"
DESCRIPTION = """\
Triggers over the ERC-8004 agent registries: every event of the chains that are watched meets every trigger of
yours, and each match becomes a delivery that is signed, retried and recorded.

Lists come as `{"data": […], "pagination": {…}}`, single things as `{"data": {…}}`, errors as problem+json with a
stable `error` code. Times are RFC 3339 in UTC. `X-Request-ID` is echoed, or made.
"""
ERROR_CODES = CODES | {
    401: "unauthenticated",
    403: "forbidden",
    409: "conflict",
    415: "unsupported_media_type",
    422: "idempotency_mismatch",
    429: "rate_limited",
    500: "internal",
    503: "unavailable",
}
EXAMPLES = {
    400: "/name must not be empty",
    401: "the access token is not valid or has expired; log in again.",
    403: "this needs the role member in the organization; yours is viewer.",
    404: "this trigger does not exist.",
    409: "an account with this e-mail exists; log in, or reset its password.",
    413: "the body is larger than 1 MiB; send less.",
    415: "send the body as JSON with `Content-Type: application/json`.",
    422: "this Idempotency-Key came before with another request; use a new key for a new request.",
    429: "too many requests; try again in 17 seconds. The RateLimit headers tell what is left.",
    500: "the request failed through no fault of yours; quote the request id when you report it.",
    503: "the database does not answer at this moment; try again in a few seconds.",
}
ORGANIZATION = {
    "name": "X-Organization-ID",
    "in": "header",
    "required": False,
    "description": "The organization to act in; without it the personal one.",
    "schema": {"type": "string", "format": "uuid", "examples": [EXAMPLE_ID]},
}
CSRF = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": False,
    "description": "What `GET /api/v1/auth/csrf` gives; needed where the cookie is the only credentials.",
    "schema": {"type": "string"},
}
IDEMPOTENCY = "Idempotency-Key"
MACHINES_TOO = "bearer"
BOUNDS = ("minimum", "maximum")
FIRST_ROUNDED = 2.0**53
"""From here on a bound has been rounded up: all of ours are 2^n-1."""
SCHEMES = {
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key of an organization; it may do what its permissions say.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "auth-token",
        "description": "What a login with `cookie: true` sets; requests that change something then need X-CSRF-Token.",
    },
}


def document(app: FastAPI, *, public_url: str) -> dict[str, Any]:
    """The document of ``app``, built once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    made = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        servers=[{"url": public_url}],
        tags=app.openapi_tags,
        routes=app.routes,
    )
    schemas = made["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schemas["Problem"].pop("$defs")
    made["components"].setdefault("securitySchemes", {}).update(SCHEMES)
    made["components"]["headers"] = COMPONENTS
    for path, item in made["paths"].items():
        for method, operation in item.items():
            _complete(path, method, operation)
            tell_body_is_no_null(operation)
            tell_limits_of_text(made, operation)
    add_links(made)
    _restore_integers(made)
    app.openapi_schema = made
    return made


def _restore_integers(part: object) -> None:
    """Write the bounds of integers as integers again; FastAPI rounds them to floats, which makes 2^63 of 2^63-1."""
    if isinstance(part, dict):
        for name in BOUNDS if part.get("type") == "integer" else ():
            if isinstance(bound := part.get(name), float):
                part[name] = int(bound) - (bound >= FIRST_ROUNDED)
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _restore_integers(inner)


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in _errors_of(path, operation):
        found = responses.setdefault(str(status), {"description": TITLES[ERROR_CODES[status]]})
        found.setdefault("content", {"application/problem+json": problem_content(status, path)})
    if operation.get("security"):
        _complete_security(method, operation)
    names = {one["name"] for one in operation.get("parameters", [])}
    describe_headers(operation, once=IDEMPOTENCY in names)


def _complete_security(method: str, operation: dict[str, Any]) -> None:
    """Every kind of credentials that the operation takes; what is about a person's account takes a person's alone."""
    ((scheme, scopes),) = operation["security"][0].items()
    machines = [{"api_key": scopes}] if scheme == MACHINES_TOO else []
    operation["security"] = [{scheme: scopes}, *machines, {"cookie": scopes}]
    parameters = operation.setdefault("parameters", [])
    if machines and not any(one["name"] == "organization_id" for one in parameters):
        parameters.append(ORGANIZATION)
    if method.upper() not in SAFE_METHODS:
        parameters.append(CSRF)


def _errors_of(path: str, operation: dict[str, Any]) -> list[int]:
    found = [500, 503]
    if operation.get("security"):
        found += [400, 401, 403, 404, 429]
    names = {one["name"] for one in operation.get("parameters", [])}
    if names:
        found += [400]
    if IDEMPOTENCY in names:
        found += [409, 422]
    if "{" in path:
        found += [404]
    if "requestBody" in operation:
        found += [400, 413, 415]
    return sorted({*found})


def problem_content(status: int, path: str = "/api/v1") -> dict[str, Any]:
    """The schema of an error's answer with an example of one."""
    code, detail = ERROR_CODES[status], EXAMPLES[status]
    example: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "instance": path,
        "error": code,
        "message": detail,
        "request_id": "0f9c7c6de0f24f6f8a1b2c3d4e5f6071",
    }
    if status == 400:
        example["errors"] = [{"pointer": "/name", "detail": "must not be empty"}]
    return {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's ``responses``: errors that it can end in beside those that every such route has."""
    return {
        status: {
            "description": TITLES[ERROR_CODES[status]],
            "content": {"application/problem+json": problem_content(status)},
        }
        for status in statuses
    }
