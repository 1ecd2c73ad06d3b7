"""Which pages of other origins may call the API from a browser: those of the settings, exactly, with credentials.

What answers may show to such pages is listed too; a header that is not would be there and yet unreadable.
"""

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from agentauri.serve.problems import problem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
TAKEN = (
    "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-API-Key", "X-CSRF-Token",
    "X-Organization-ID", "X-Request-ID",
    "X-Agent-ID", "X-Chain-ID", "X-Timestamp", "X-Nonce", "X-Signature",
)  # fmt: skip
SHOWN = (
    "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Limit",
    "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID",
)  # fmt: skip
PREFLIGHT_SECONDS = 600
REFUSED = "pages of this origin may not do this: {}."


class _Refusal(Response):
    """A preflight that is refused, told in the form of every other error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = REFUSED.format(bytes(self.body).decode().lower())
        answer = problem(
            scope, status=400, code="invalid_request", detail=detail, headers={"Vary": self.headers["vary"]}
        )
        await answer(scope, receive, send)


class _Door(CORSMiddleware):
    """Starlette's, but for the form of refusals."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code == HTTPStatus.OK else _Refusal(answer.body, headers=dict(answer.headers))


def install(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of ``origins`` call ``app``. "*" (never in production) lets all of them in, each by its own name."""
    app.add_middleware(
        _Door,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=TAKEN,
        expose_headers=SHOWN,
        allow_credentials=True,
        max_age=PREFLIGHT_SECONDS,
    )
