"""The headers of answers in the OpenAPI document: each described once, and named at every answer that has it.

``required`` stands where no such answer goes without it. Limits are counted after the body was read, so an answer to a
body that cannot be read does not tell of them.
"""

from typing import Any

from agentauri.serve.frame import HEADERS as FRAME

ALWAYS = "X-Request-ID"
SECURITY = {
    name.decode().title(): {
        "description": "For browsers; the same on every answer.",
        "required": True,
        "schema": {"type": "string", "const": value.decode()},
    }
    for name, value in FRAME
}
RATES = {
    "RateLimit-Policy": {
        "description": "The limits of this caller: the hour's quota and the burst.",
        "schema": {"type": "string", "examples": ['"hour";q=600;w=3600, "burst";q=60;w=60']},
    },
    "RateLimit": {
        "description": "What is left of each, and in how many seconds there will be more than that.",
        "schema": {"type": "string", "examples": ['"hour";r=599;t=6, "burst";r=59;t=1']},
    },
    "X-RateLimit-Limit": {"description": "The hour's quota.", "schema": {"type": "integer", "minimum": 1}},
    "X-RateLimit-Remaining": {"description": "What is left of it.", "schema": {"type": "integer", "minimum": 0}},
    "X-RateLimit-Reset": {
        "description": "When there will be more, in seconds since 1970.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
COMPONENTS: dict[str, dict[str, Any]] = {
    ALWAYS: {
        "description": "The request's id: the one that was sent, or a new one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    },
    **SECURITY,
    "Content-Security-Policy": {
        "description": "For browsers: what a page may load; an answer in JSON nothing at all.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Cache-Control": {
        "description": "`no-store` where the answer holds a secret.",
        "schema": {"type": "string", "examples": ["no-store"]},
    },
    "Strict-Transport-Security": {"description": "In production alone.", "schema": {"type": "string"}},
    "Set-Cookie": {
        "description": "The tokens, where cookies were asked for; or that the browser forgets them.",
        "schema": {"type": "string"},
    },
    **RATES,
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {
        "description": "The scheme of credentials that is understood.",
        "required": True,
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
    "Idempotent-Replayed": {
        "description": "The answer is the stored one of an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Location": {
        "description": "Where to go on.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
}
OF_SUCCESS = (*SECURITY, "Content-Security-Policy", "Strict-Transport-Security", "Cache-Control")
"""Errors have the first ones too; named once an operation, they are enough."""
OF_STATUS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",), "503": ("Retry-After",)}


def describe_headers(operation: dict[str, Any], *, once: bool) -> None:
    """Name at every answer of ``operation`` the headers that it has. ``once``: the operation takes idempotency keys."""
    counted = "429" in operation["responses"]
    for status, response in operation["responses"].items():
        names = [ALWAYS, *(OF_SUCCESS if status < "4" else ()), *(RATES if counted else ()), *OF_STATUS.get(status, ())]
        if status.startswith("2") and once:
            names.append("Idempotent-Replayed")
        if status.startswith("3"):
            names.append("Location")
        headers = response.setdefault("headers", {})
        for name in names:
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})
