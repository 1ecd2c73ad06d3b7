"""Where a URL leads: scheme, host and port in one canonical spelling, or why a user may not name it.

Lanes and destinations are keyed by these values, so two spellings of one host must give one place (protocol P22).
Whether the host's addresses may be connected to is the outbound guard's question, not this module's.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import urlsplit

MAX_URL_LENGTH = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
LOW_PORTS = (80, 443)
FIRST_HIGH_PORT = 1024
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMERIC = re.compile(r"\d+|0x[0-9a-f]*")
MAX_HOST_LENGTH = 253
PLACES_KEPT = 4_096


@dataclass(frozen=True, slots=True)
class Place:
    """A server as connections see it."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@lru_cache(PLACES_KEPT)  # one action asks four times while it is written
def parse_place(url: str) -> Place:
    """The place of an http(s) URL. Raises ValueError with a sentence for the user."""
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"a URL may have at most {MAX_URL_LENGTH} characters.")
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise ValueError("a URL may not contain spaces, control characters or backslashes; percent-encode them.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"this is not a URL: {error}.") from error
    if parts.scheme not in DEFAULT_PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        raise ValueError("the URL must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise ValueError("a URL may not carry credentials; send them in a header.")
    if not parts.hostname:
        raise ValueError("the URL names no host.")
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if port not in LOW_PORTS and port < FIRST_HIGH_PORT:
        raise ValueError(f"port {port} may not be used; use 80, 443, or 1024 to 65535.")
    return Place(parts.scheme, canonical_host(parts.hostname), port)


def canonical_host(host: str) -> str:
    """One spelling of a host name or address literal. Raises ValueError with a sentence for the user."""
    if ":" in host:
        if "%" in host:
            raise ValueError(f"{host} names a network interface; leave the part from % on away.")
        try:
            return IPv6Address(host).compressed
        except AddressValueError as error:
            raise ValueError(f"{host} is not an IPv6 address.") from error
    try:
        name = host.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError as error:
        raise ValueError(f"{host} is not a host name.") from error
    labels = name.split(".")
    if NUMERIC.fullmatch(labels[-1]):
        try:
            return IPv4Address(name).compressed
        except AddressValueError as error:
            raise ValueError(f"{host} is not an IPv4 address as four decimal numbers.") from error
    if len(name) > MAX_HOST_LENGTH or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{host} is not a host name.")
    return name
