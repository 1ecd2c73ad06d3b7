"""Errors as problem+json (RFC 9457): one shape for every status, and never anything that was not meant to be said.

Only our own errors' sentences and the shape of a rejected input reach the caller; a value that was sent is never
repeated, so no password can be. Anything unforeseen is logged whole and answered with its request id alone.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import Scope

from agentauri import logs
from agentauri.errors import (
    AccountLocked,
    AgentAuriError,
    InvalidRequest,
    PayloadTooLarge,
    RateLimited,
    RequestError,
    Unauthenticated,
    UnsupportedMediaType,
)
from agentauri.models.problems import step
from agentauri.serve import API
from agentauri.serve.answers import Json
from agentauri.serve.methods import has_head
from agentauri.store.database import AWAY

log = logs.get("api")
PARAMETER = re.compile(r"\{[^}]+\}")
TYPE_PREFIX = "urn:agentauri:error:"
REQUEST_ID = "agentauri.request_id"
"""Where the request's id stands in the ASGI scope."""
RATE_HEADERS = "agentauri.rate"
"""Where the headers that tell of rate limits stand in it, once a request was counted."""

TITLES = {
    "invalid_request": "The request is not valid",
    "unauthenticated": "No valid credentials",
    "forbidden": "Not allowed",
    "not_found": "Not found",
    "method_not_allowed": "Method not allowed",
    "conflict": "Conflict",
    "limit_reached": "A limit is reached",
    "payload_too_large": "The body is too large",
    "unsupported_media_type": "The body is of a kind that is not understood",
    "account_locked": "The account is locked",
    "rate_limited": "Too many requests",
    "idempotency_mismatch": "The idempotency key belongs to another request",
    "unavailable": "Not available at this moment",
    "internal": "Something went wrong here",
}
CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
DETAILS = {
    404: "there is no such path; /docs lists all of them.",
    405: "this path does not know this method; the Allow header lists those that it knows.",
    413: "the body is larger than 1 MiB.",
}
INTERNAL = "the request failed through no fault of yours; quote the request id when you report it."
AWAY_DETAIL = "the database does not answer at this moment; try again in a few seconds."
UNREADABLE = (InvalidRequest, PayloadTooLarge, UnsupportedMediaType)
Count = Callable[[Scope], Awaitable[None]]
"""Counts a request that is refused in any case. Raises RateLimited."""
MAX_PROBLEMS = 100
"""Of a body with more mistakes, the first ones are told."""


class ProblemJson(Json):
    """An error's answer."""

    media_type = "application/problem+json"


def problem(
    scope: Scope,
    *,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[tuple[str, str]] = (),
    headers: dict[str, str] | None = None,
) -> ProblemJson:
    """The answer for one error; ``errors`` are (JSON pointer, detail) pairs."""
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": TITLES[code],
        "status": status,
        "detail": detail,
        "instance": scope["path"],
        "error": code,
        "message": detail,
        "request_id": scope.get(REQUEST_ID, ""),
    }
    if errors:
        body["errors"] = [{"pointer": pointer, "detail": text} for pointer, text in errors[:MAX_PROBLEMS]]
    return ProblemJson(body, status, headers)


def internal(scope: Scope, error: Exception) -> ProblemJson:
    """The answer for what nobody foresaw; the log has it all."""
    log.error("request_failed", path=scope["path"], request_id=scope.get(REQUEST_ID), exc_info=error)
    return problem(scope, status=500, code="internal", detail=INTERNAL)


def refusal(scope: Scope, refused: RequestError) -> ProblemJson:
    """The answer for an error of ours."""
    headers: dict[str, str] = {}
    if isinstance(refused, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refused, AccountLocked | RateLimited):
        headers["Retry-After"] = str(refused.retry_after)
    errors = refused.problems if isinstance(refused, InvalidRequest) else ()
    return problem(
        scope, status=refused.status, code=refused.code, detail=refused.message, errors=errors, headers=headers
    )


async def counted(scope: Scope, answer: Response) -> Response:
    """``answer``, to a request that nobody counted yet (no such path, a body that cannot be read); else that it is one
    too many. So every error of the API tells the limits, and no kind of request is free because it is wrong."""
    if RATE_HEADERS in scope or not scope["path"].startswith(f"{API}/"):
        return answer
    count: Count = scope["app"].state.count_refused
    try:
        await count(scope)
    except RateLimited as refused:
        return refusal(scope, refused)
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    answer = refusal(request.scope, cast(RequestError, error))
    return await counted(request.scope, answer) if isinstance(error, UNREADABLE) else answer


async def _invalid(request: Request, error: Exception) -> Response:
    found = _findings(cast(RequestValidationError, error).errors())
    pointer, text = found[0]
    detail = f"{pointer} {text}" if pointer else f"the body {text}"
    return await counted(
        request.scope, problem(request.scope, status=400, code="invalid_request", detail=detail, errors=found)
    )


async def _http(request: Request, error: Exception) -> Response:
    answered = cast(HTTPException, error)
    if isinstance(error.__cause__, RequestError):  # raised while the body was read
        return await _refused(request, error.__cause__)
    code = CODES.get(answered.status_code, "invalid_request")
    detail = DETAILS.get(answered.status_code, HTTPStatus(answered.status_code).description)
    headers = dict(answered.headers) if answered.headers else {}
    if answered.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return await counted(
        request.scope, problem(request.scope, status=answered.status_code, code=code, detail=detail, headers=headers)
    )


def _allowed(request: Request) -> str:
    """Every method of the path; the router names only those of the first route that it met."""
    path = request.scope["path"]
    for template, operations in request.app.openapi()["paths"].items():
        if re.fullmatch(PARAMETER.sub("[^/]+", template), path):
            head = {"HEAD"} if "get" in operations and has_head(path) else set()
            return ", ".join(sorted(head | {method.upper() for method in operations}))
    return "GET, HEAD"  # the pages and the document itself, which it does not list


async def _away(request: Request, error: Exception) -> Response:
    if isinstance(error, ValueError):  # an argument that no column takes: ours to have checked
        return internal(request.scope, error)
    log.warning("database_away", path=request.scope["path"], error=repr(error))
    return problem(request.scope, status=503, code="unavailable", detail=AWAY_DETAIL, headers={"Retry-After": "5"})


async def _ours(request: Request, error: Exception) -> Response:
    return internal(request.scope, error)


def install(app: FastAPI, count: Count) -> None:
    """Let every error of ``app`` become a problem+json answer, ``count`` those that are met before anything else."""
    app.state.count_refused = count
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(AgentAuriError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in AWAY:
        app.add_exception_handler(kind, _away)


def _findings(errors: Sequence[Any]) -> list[tuple[str, str]]:
    """The findings of pydantic; of what may be one of several things, what the first of them said."""
    firsts: dict[str, str] = {}
    for pointer, text in map(_explain, errors):
        firsts.setdefault(pointer, text)
    return list(firsts.items())


def _explain(error: dict[str, Any]) -> tuple[str, str]:
    """A finding of pydantic as (pointer, sentence); what is not in the body gets its place as first step.

    Outside the body there is a name, and a number in a list; other steps are pydantic's, and say what it tried.
    """
    place, *path = error["loc"]
    pointer = "" if place == "body" else f"/{place}"
    for key in path if place == "body" else [*path[:1], *(one for one in path[1:] if isinstance(one, int))]:
        pointer = step(pointer, key)
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return pointer, "is required." if path else "must be a JSON object."
        case "extra_forbidden":
            return pointer, "is not a field of this request; see /docs for those that are."
        case "value_error":
            return pointer, str(context.get("error", "is not valid."))
        case "string_too_short" | "string_too_long" | "too_short" | "too_long":
            return pointer, _length(context, "character" if isinstance(error["input"], str) else "item")
        case _:
            return pointer, error["msg"].replace("Input should", "should").rstrip(".") + "."


def _length(bound: dict[str, Any], unit: str) -> str:
    """Pydantic counts "items after validation" wherever a text has passed a check of ours."""
    word, number = ("least", bound["min_length"]) if "min_length" in bound else ("most", bound["max_length"])
    return f"should have at {word} {number} {unit}{'' if number == 1 else 's'}."
