"""Which pages of other origins may call the API from a browser: those of the settings, exactly, with credentials.

What answers may show to such pages is listed too; a header that is not would be there and yet unreadable.
"""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

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


def install(app: FastAPI, origins: Sequence[str]) -> None:
    """Let pages of ``origins`` call ``app``. "*" (never in production) lets all of them in, each by its own name."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[origin.rstrip("/") for origin in origins],
        allow_methods=METHODS,
        allow_headers=TAKEN,
        expose_headers=SHOWN,
        allow_credentials=True,
        max_age=PREFLIGHT_SECONDS,
    )
