"""What surrounds every request: its id and the headers of its answer, its size, and the net under all errors.

Plain ASGI layers, because they run for each request and Starlette's base class costs more than many routes do.
``Frame`` is the outermost: an ``X-Request-ID`` and the security headers on every answer that this process gives, those
to preflights included; and HEAD wherever there is GET, which monitors of uptime ask with. ``Net`` stands inside the
layer of CORS, so that its problem+json can be read by pages too.
"""

import asyncio
import re
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentauri.errors import InvalidRequest, PayloadTooLarge
from agentauri.serve.methods import has_head
from agentauri.serve.problems import RATE_HEADERS, REQUEST_ID, ProblemJson, counted, internal, problem

MAX_BODY_BYTES = 2**20
REQUEST_ID_FORM = re.compile(rb"[\x21-\x7e]{1,128}")
CSP_NAME = b"content-security-policy"
JSON_CSP = b"default-src 'none'; frame-ancestors 'none'"
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
BODY_SECONDS = 30.0
"""For a whole body; who sends slower holds a connection and a place among the requests for too long."""
TOO_LARGE = "the body is larger than 1 MiB; send less."
TOO_SLOW = f"the body did not arrive within {BODY_SECONDS:.0f} seconds; send it faster, or less."
NUL_IN_PATH = "paths and query strings may not contain U+0000."


class Frame:
    """The outermost layer of the application. ``hsts``: also tell browsers to insist on TLS."""

    def __init__(self, app: ASGIApp, *, hsts: bool) -> None:
        self._app = app
        self._headers = [*HEADERS, HSTS] if hsts else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope) or uuid4().hex
        scope[REQUEST_ID] = request_id
        if scope["method"] == "HEAD" and has_head(scope["path"]):
            scope, send = {**scope, "method": "GET"}, _bodiless(send)

        async def framed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = [*message["headers"], *self._headers, *scope.get(RATE_HEADERS, ())]
                headers.append((b"x-request-id", request_id.encode()))
                if not any(name == CSP_NAME for name, _ in headers):
                    headers.append((CSP_NAME, JSON_CSP))
            await send(message)

        await self._app(scope, receive, framed_send)


class Net:
    """Refuses what is too large, too slow or cannot be stored, and turns whatever no handler knew into an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = _body_length(scope)
        refused = _refusal(scope, length)
        if refused is not None:
            await (await counted(scope, refused))(scope, receive, send)
            return
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive if length == 0 else _limited(receive), watched_send)
        except Exception as error:  # the net: whatever no handler knew
            answer = internal(scope, error)
            if started:
                raise
            await answer(scope, receive, send)


def _bodiless(send: Send) -> Send:
    """``send`` for the answer to HEAD: that to GET, whose length it tells too, without the body."""

    async def without(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without


def _request_id(scope: Scope) -> str | None:
    """The id that was sent, if it can be used."""
    sent = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return sent.decode() if REQUEST_ID_FORM.fullmatch(sent) else None


def _body_length(scope: Scope) -> int | None:
    """The declared length of the body; 0 where there is none, None where it is told in chunks."""
    length, chunked = 0, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value) if value.isdigit() else 0
        elif name == b"transfer-encoding":
            chunked = True
    return None if chunked else length


def _refusal(scope: Scope, length: int | None) -> ProblemJson | None:
    if length is not None and length > MAX_BODY_BYTES:
        return problem(scope, status=413, code="payload_too_large", detail=TOO_LARGE, headers={"Connection": "close"})
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        return problem(scope, status=400, code="invalid_request", detail=NUL_IN_PATH)
    return None


def _limited(receive: Receive) -> Receive:
    """``receive`` that counts the body and bears no slow one; what comes after it may be late."""
    size, deadline, complete = 0, asyncio.get_running_loop().time() + BODY_SECONDS, False

    async def limiting() -> Message:
        nonlocal size, complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise InvalidRequest(TOO_SLOW) from None
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise PayloadTooLarge(TOO_LARGE)
        complete = not message.get("more_body", False)
        return message

    return limiting
