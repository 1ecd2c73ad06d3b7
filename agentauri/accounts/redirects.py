"""Where a browser may be sent after a login at another service: a page of ours or of a front end that we know.

A redirect to anywhere else would hand the login's code to a stranger, under our name. Parsers disagree about odd
addresses, so these are refused instead of understood: only printable ASCII without backslashes, no user part, an
exact origin written out. What comes back is always absolute.
"""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit

MAX_LENGTH = 2048
PLAIN = re.compile(r"[!-~]+")
FORBIDDEN = re.compile(r"[\\<>\"`{}|^]")
ABSOLUTE = re.compile(r"(https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?)(?=[/?#]|$)", re.IGNORECASE)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
OURS = {"code", "error", "message", "linked"}
"""What we add to the address; one that brings them already could pass off a code of its own."""
NOT_ALLOWED = "must be a path of this server, or an address whose origin is among http.cors_origins."


def parse_redirect(raw: str, *, origins: Iterable[str], public_url: str) -> str:
    """The address to go to. Raises ValueError with a sentence when it is not one of ours."""
    if len(raw) > MAX_LENGTH:
        raise ValueError(f"must have at most {MAX_LENGTH} characters.")
    if not PLAIN.fullmatch(raw) or FORBIDDEN.search(raw):
        raise ValueError(NOT_ALLOWED)
    home = origin_of(public_url)
    absolute = home + raw if raw.startswith("/") and not raw.startswith("//") else raw
    if origin_of(absolute) not in {home, *map(origin_of, origins)} - {""}:
        raise ValueError(NOT_ALLOWED)
    if OURS & {name for name, _ in parse_qsl(urlsplit(absolute).query, keep_blank_values=True)}:
        raise ValueError("must not have code, error, message or linked in its query: these are added to it.")
    return absolute


def origin_of(url: str) -> str:
    """Scheme, host and port in their one spelling; "" for what is no plain http(s) address."""
    found = ABSOLUTE.match(url)
    if found is None:
        return ""
    origin = found[1].lower()
    return origin.removesuffix(DEFAULT_PORTS[origin.partition(":")[0]])


def with_answer(url: str, answer: dict[str, str]) -> str:
    """The address with more in its query."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(answer)) if part)
    return parts._replace(query=query).geturl()
