"""Turns a delivery of a ``rest`` action into the request that is sent, and into what may be kept of it.

A configuration is compiled once per version and reused. The kept form holds no secret: neither of the headers, nor
of the query, nor the body, which a user may have put one into.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from yarl import URL

from agentauri import __version__
from agentauri.channels.envelope import envelope, template_values
from agentauri.channels.signatures import signed_headers, signer
from agentauri.channels.templates import plain, render_json, render_text, url_part
from agentauri.models.action import MASK, SECRET_NAME
from agentauri.models.delivery import Claimed
from agentauri.models.rest_action import METHODS, SIGNING_SECRET
from agentauri.models.template import JsonTemplate, Placeholder, Text, parse_json, parse_text
from agentauri.models.template_names import is_known

USER_AGENT = f"AgentAuri/{__version__}"
JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
URL_SAFE = "%/:?#[]@!$&'()*+,;=~"
BODILESS = frozenset({"GET"})
"""Methods that carry a body only where the user wrote one."""
TEST_HEADER = "X-AgentAuri-Test"
SIGNERS_KEPT = 4096
NAMES_KEPT = 4096

signer_of = lru_cache(SIGNERS_KEPT)(signer)


@lru_cache(NAMES_KEPT)
def is_secret_name(name: str) -> bool:
    """Whether a header or a parameter of this name holds a secret."""
    return SECRET_NAME.search(name) is not None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A compiled configuration. ``url`` is final where it holds no template; ``body`` None: the envelope."""

    method: str
    url: URL | Text
    headers: Mapping[str, str]
    body: JsonTemplate
    has_body_template: bool
    sends_text: bool
    expected: frozenset[int] | None

    def expects(self, status: int) -> bool:
        """Whether the receiver has taken the delivery."""
        return 200 <= status <= 299 if self.expected is None else status in self.expected


class Request(NamedTuple):
    """One request, ready to be sent."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes

    def without_secrets(self) -> dict[str, Any]:
        """What is kept with the attempt."""
        headers = {name: MASK if is_secret_name(name) else value for name, value in self.headers.items()}
        return {
            "method": self.method,
            "url": mask_query(self.url),
            "headers": headers,
            "body_bytes": len(self.body),
        }


def prepare(config: Mapping[str, Any]) -> Prepared:
    """Compile a checked configuration. Raises TemplateError or ValueError on one that was never checked."""
    source = config.get("body_template")
    text = parse_text(_quote_literals(config["url"]), is_known)
    static = not any(isinstance(part, Placeholder) for part in text.parts)
    sends_text = isinstance(source, str)
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": USER_AGENT}
    headers["Content-Type"] = TEXT_TYPE if sends_text else JSON_TYPE
    for name, value in config.get("headers", {}).items():
        if name.lower() == "content-type":
            del headers["Content-Type"]
        headers[name] = value
    codes = config.get("expected_status_codes")
    return Prepared(
        method=config.get("method", METHODS[0]),
        url=URL(_quote_literals(config["url"]), encoded=True) if static else text,
        headers=headers,
        body=parse_json(source, is_known),
        has_body_template=source is not None,
        sends_text=sends_text,
        expected=frozenset(codes) if codes else None,
    )


def _quote_literals(url: str) -> str:
    """The URL with everything outside its templates in ASCII; the host as IDNA."""
    if url.isascii():
        return url
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    host = host if host.isascii() else URL(f"{scheme}://{host}").raw_authority
    parts = path.split("{{")
    quoted = [quote(parts[0], safe=URL_SAFE)]
    for part in parts[1:]:
        inside, closing, literal = part.partition("}}")
        quoted.append(inside + closing + quote(literal, safe=URL_SAFE))
    return f"{scheme}://{host}{slash}{'{{'.join(quoted)}"


def build(delivery: Claimed, prepared: Prepared, timestamp: int) -> Request:
    """The signed request of one attempt at ``timestamp`` (seconds since 1970). Raises TemplateError."""
    body = _body(delivery, prepared)
    url = prepared.url
    if isinstance(url, Text):
        url = URL(render_text(url, template_values(delivery), url_part), encoded=True)
    identity = str(delivery.id)
    own = delivery.config.get(SIGNING_SECRET)
    signers = [signer_of(secret) for secret in (*((own,) if own else ()), *delivery.secrets)]
    headers = {**prepared.headers, "Idempotency-Key": identity}
    if delivery.is_test:
        headers[TEST_HEADER] = "true"
    headers.update(signed_headers(identity, timestamp, body, signers))
    return Request(prepared.method, url, headers, body)


def _body(delivery: Claimed, prepared: Prepared) -> bytes:
    """A notice is told by the envelope whatever the template: a template tells of a firing."""
    if delivery.type.is_notice or not prepared.has_body_template:
        return b"" if prepared.method in BODILESS else orjson.dumps(envelope(delivery))
    if prepared.sends_text and isinstance(prepared.body, Text):
        return render_text(prepared.body, template_values(delivery), plain).encode()
    return orjson.dumps(render_json(prepared.body, template_values(delivery)))


def mask_query(url: URL) -> str:
    """A URL as it may be kept: without the values of parameters that are named like secrets."""
    if not url.raw_query_string:
        return str(url)
    pairs = parse_qsl(url.raw_query_string, keep_blank_values=True)
    if not any(is_secret_name(name) for name, _ in pairs):
        return str(url)
    shown = [(name, MASK if is_secret_name(name) else value) for name, value in pairs]
    return f"{str(url).partition('?')[0]}?{urlencode(shown, safe=MASK)}"
