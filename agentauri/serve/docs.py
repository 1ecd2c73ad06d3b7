"""The OpenAPI document, and the pages at /docs and /redoc that show it.

The pages are whole without a network, under a content security policy that names their script. The document is more
than a megabyte, which anybody may ask for without being counted: it is written and packed once, and who names the
version that they have gets 304.
"""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

ASSETS = "/static-offline-docs"
JSON = "application/json"
TAG_LENGTH = 32
INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI, *, openapi_url: str) -> None:
    """Add the document, both pages and their assets to ``app``."""
    _add_document(app, openapi_url)
    folder = Path(fastapi_offline.__file__).parent / "static"
    app.mount(ASSETS, StaticFiles(directory=folder), name="docs assets")
    favicon = f"{ASSETS}/favicon.png"
    swagger = get_swagger_ui_html(
        openapi_url=openapi_url,
        title=f"{app.title} API",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=favicon,
    )
    redoc = get_redoc_html(
        openapi_url=openapi_url,
        title=f"{app.title} API",
        redoc_js_url=f"{ASSETS}/redoc.standalone.js",
        redoc_favicon_url=favicon,
        with_google_fonts=False,
    )
    _add(app, "/docs", swagger)
    _add(app, "/redoc", redoc)


@dataclass(frozen=True, slots=True)
class _Written:
    """The document as it goes out. Its tag is a weak one: both forms have it."""

    plain: bytes
    packed: bytes
    tag: str


def _write(document: dict[str, Any]) -> _Written:
    # The bounds of agent ids are larger than orjson writes.
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return _Written(plain, gzip.compress(plain), f'W/"{hashlib.sha256(plain).hexdigest()[:TAG_LENGTH]}"')


def _add_document(app: FastAPI, path: str) -> None:
    @cache
    def written() -> _Written:
        return _write(app.openapi())

    async def show(request: Request) -> Response:
        found = written()
        headers = {"ETag": found.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=JSON)
        return Response(found.plain, headers=headers, media_type=JSON)

    app.add_api_route(path, show, include_in_schema=False)


def _add(app: FastAPI, path: str, page: HTMLResponse) -> None:
    policy = policy_for(bytes(page.body).decode())

    async def show() -> HTMLResponse:
        return HTMLResponse(page.body, headers={"Content-Security-Policy": policy})

    app.add_api_route(path, show, include_in_schema=False)


def policy_for(html: str) -> str:
    """A policy that lets the page run its own inline scripts, its own files, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in INLINE.findall(html)]
    scripts = " ".join(["'self'", *(f"'sha256-{one}'" for one in hashes)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'"
    )
