"""The configuration of a ``rest`` action: a webhook's address, headers, body and what counts as accepted.

``check_rest`` notes every problem of what a user wrote and returns the configuration as it is stored, defaults
filled in, so that no later step meets a half-valid one. Whether the host may be connected to is decided when it is
(``channels/guard.py``).
"""

import re
from base64 import b64decode
from typing import Any

import orjson

from agentauri.errors import TemplateError
from agentauri.models.place import MAX_URL_LENGTH, Place, parse_place
from agentauri.models.problems import Problems, step
from agentauri.models.template import MAX_SOURCE_BYTES, OPENING, JsonValue, Known, parse_json, parse_text
from agentauri.models.template_names import is_known

METHODS = ("POST", "GET", "PUT", "PATCH", "DELETE")
MAX_HEADERS = 20
MAX_HEADER_VALUE = 1024
MAX_HEADER_NAME = 128
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
RESERVED_HEADERS = frozenset({
    "webhook-id", "webhook-timestamp", "webhook-signature", "idempotency-key", "user-agent", "host", "content-length",
    "content-encoding", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "proxy-authorization",
    "te", "trailer", "upgrade", "expect", "accept-encoding",
})  # fmt: skip
DEFAULT_TIMEOUT_SECONDS = 15
MAX_TIMEOUT_SECONDS = 60
MAX_EXPECTED_CODES = 100
AUTHORITY_END = re.compile(r"[/?#]")
SIGNING_SECRET = "signing_secret"
SIGNING_SECRET_FORM = re.compile(r"whsec_([A-Za-z0-9+/]+={0,2})")
SIGNING_SECRET_BYTES = range(24, 65)
"""As Standard Webhooks asks for."""
KEYS = ("url", "method", "headers", "body_template", "timeout_seconds", "expected_status_codes", SIGNING_SECRET)
JSON_TEXT = re.compile(r"\s*[\[{]")


def check_rest(config: dict[str, Any], pointer: str, problems: Problems) -> dict[str, Any]:
    """The stored form of a user's configuration; what is wrong with it is noted in ``problems``."""
    stored: dict[str, Any] = {
        "url": _check_url(config.get("url"), step(pointer, "url"), problems),
        "method": _check_method(config.get("method", METHODS[0]), step(pointer, "method"), problems),
        "headers": _check_headers(config.get("headers"), step(pointer, "headers"), problems),
        "timeout_seconds": check_timeout(config.get("timeout_seconds"), step(pointer, "timeout_seconds"), problems),
    }
    if config.get("body_template") is not None:
        stored["body_template"] = check_json_template(
            config["body_template"], step(pointer, "body_template"), problems, is_known
        )
    if config.get("expected_status_codes") is not None:
        codes = config["expected_status_codes"]
        stored["expected_status_codes"] = _check_codes(codes, step(pointer, "expected_status_codes"), problems)
    if config.get(SIGNING_SECRET) is not None:
        here = step(pointer, SIGNING_SECRET)
        stored[SIGNING_SECRET] = _check_signing_secret(config[SIGNING_SECRET], here, problems)
    return stored


def _check_signing_secret(secret: Any, at: str, problems: Problems) -> Any:
    """A secret of the user's own making."""
    found = SIGNING_SECRET_FORM.fullmatch(secret) if isinstance(secret, str) else None
    try:
        size = len(b64decode(found[1], validate=True)) if found else 0
    except ValueError:
        size = 0
    if size not in SIGNING_SECRET_BYTES:
        problems.add(at, "a signing secret is whsec_ and the base64 of 24 to 64 random bytes.")
    return secret


def rest_place(config: dict[str, Any]) -> Place:
    """Scheme, host and port of a checked configuration's URL. Raises ValueError on one that was never checked."""
    return parse_place(without_templates(config["url"]))


def without_templates(url: str) -> str:
    """The URL up to the end of its authority; what follows may hold templates and says nothing about the place."""
    scheme, found, rest = url.partition("://")
    end = AUTHORITY_END.search(rest)
    return scheme + found + (rest[: end.start()] if end else rest)


def _check_url(url: Any, at: str, problems: Problems) -> str:
    if not isinstance(url, str) or not url:
        problems.add(at, "a URL is needed, such as https://example.com/hook.")
        return ""
    head = without_templates(url)
    try:
        if OPENING in head:
            raise ValueError("templates may stand in the path and the query of a URL, not in its host.")
        parse_place(head)
        template = parse_text(url, is_known)
        parse_place("".join(part if isinstance(part, str) else "x" for part in template.parts))
        if len(url) > MAX_URL_LENGTH:
            raise ValueError(f"a URL may have at most {MAX_URL_LENGTH} characters.")
    except (ValueError, TemplateError) as error:
        problems.add(at, str(error))
    return url


def _check_method(method: Any, at: str, problems: Problems) -> str:
    name = method.upper() if isinstance(method, str) else ""
    if name not in METHODS:
        problems.add(at, f"the method must be one of {', '.join(METHODS)}.")
    return name


def _check_headers(headers: Any, at: str, problems: Problems) -> dict[str, str]:
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        problems.add(at, "headers are an object of names and texts.")
        return {}
    if len(headers) > MAX_HEADERS:
        problems.add(at, f"at most {MAX_HEADERS} headers can be sent.")
    seen: set[str] = set()
    for name, value in headers.items():
        here = step(at, name)
        if not HEADER_NAME.fullmatch(name) or len(name) > MAX_HEADER_NAME:
            problems.add(here, "this is not a header name.")
        elif name.lower() in RESERVED_HEADERS:
            problems.add(here, f"{name} is set by AgentAuri; leave it away.")
        elif name.lower() in seen:
            problems.add(here, f"{name} is there twice; upper and lower case make no difference.")
        seen.add(name.lower())
        _check_header_value(value, here, problems)
    return dict(headers)


def _check_header_value(value: Any, at: str, problems: Problems) -> None:
    if not isinstance(value, str):
        problems.add(at, "a header's value is a text.")
    elif len(value) > MAX_HEADER_VALUE:
        problems.add(at, f"a header's value may have at most {MAX_HEADER_VALUE} characters.")
    elif not re.fullmatch(r"[\t\x20-\x7e\xa0-\xff]*", value):
        problems.add(at, "a header's value may not contain line breaks, control characters or letters beyond Latin-1.")
    elif OPENING in value:
        problems.add(at, "templates are not filled in in headers; put them in the body or the URL.")


def check_timeout(timeout: Any, at: str, problems: Problems) -> int | float:
    """The seconds that a whole attempt may take."""
    if timeout is None:
        return DEFAULT_TIMEOUT_SECONDS
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 1 <= timeout <= MAX_TIMEOUT_SECONDS:
        problems.add(at, f"the time-out must be a number of seconds from 1 to {MAX_TIMEOUT_SECONDS}.")
        return DEFAULT_TIMEOUT_SECONDS
    return timeout


def check_json_template(body: JsonValue, at: str, problems: Problems, known: Known) -> JsonValue:
    """The template as stored. A text that is a JSON object or array is taken for that value, so that what is
    filled in cannot break out of it."""
    if isinstance(body, str) and JSON_TEXT.match(body):
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    try:
        size = len(orjson.dumps(body))
        if size > MAX_SOURCE_BYTES:
            raise TemplateError(f"a template may have at most {MAX_SOURCE_BYTES} bytes; this one has {size}.")
        parse_json(body, known)
    except (TemplateError, TypeError) as error:
        problems.add(at, str(error))
    return body


def _check_codes(codes: Any, at: str, problems: Problems) -> list[int]:
    if not isinstance(codes, list) or not 1 <= len(codes) <= MAX_EXPECTED_CODES:
        problems.add(at, f"expected status codes are a list of 1 to {MAX_EXPECTED_CODES} numbers.")
        return []
    for index, code in enumerate(codes):
        if isinstance(code, bool) or not isinstance(code, int) or not (200 <= code <= 299 or 400 <= code <= 599):
            problems.add(step(at, index), "an expected status is 200–299 or 400–599; redirects are never followed.")
    return list(codes)
