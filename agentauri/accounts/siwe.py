"""The text that a wallet signs to log in: EIP-4361 (Sign-In with Ethereum), version 1.

It is always built here, from our own fields: what a client sends back is never taken apart and believed, but compared
whole with the text built again. So there is no parser to fool, and a text for another domain, URI, chain, time or
nonce is simply another text. Who signed it is the business of wallets.py; that a nonce is used once, of the store.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

LIFETIME = timedelta(minutes=5)
NONCE_BYTES = 16
"""128 random bits; written as hexadecimal, since EIP-4361 allows letters and digits alone."""
NONCE_LINE = re.compile(rf"^Nonce: ([0-9a-f]{{{2 * NONCE_BYTES}}})$", re.MULTILINE)
STATEMENT = "Sign in to AgentAuri. This sends no transaction and costs nothing."
VERSION = "1"
MAX_MESSAGE = 2048
"""Characters of a text that is read; ours have some 400 and the address of the deployment."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One request to sign in. ``address`` is in EIP-55 form; times have whole milliseconds."""

    domain: str
    uri: str
    address: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expires_at: datetime

    def text(self) -> str:
        """What the wallet shows and signs."""
        return (
            f"{self.domain} wants you to sign in with your Ethereum account:\n"
            f"{self.address}\n\n{STATEMENT}\n\n"
            f"URI: {self.uri}\n"
            f"Version: {VERSION}\n"
            f"Chain ID: {self.chain_id}\n"
            f"Nonce: {self.nonce}\n"
            f"Issued At: {_moment(self.issued_at)}\n"
            f"Expiration Time: {_moment(self.expires_at)}"
        )


def begin(public_url: str, address: str, chain_id: int, now: datetime) -> SignIn:
    """A request with a new nonce that can be answered for five minutes from ``now``."""
    issued_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
    nonce = secrets.token_hex(NONCE_BYTES)
    return SignIn(domain_of(public_url), public_url, address, chain_id, nonce, issued_at, issued_at + LIFETIME)


def domain_of(public_url: str) -> str:
    """The authority of our public address, as wallets compare it with the page that asks: host, and port if named."""
    parts = urlsplit(public_url)
    return parts.netloc.rpartition("@")[2]


def find_nonce(message: str) -> str | None:
    """The nonce that a text names, to look up what it was given out for; says nothing about the rest of the text."""
    found = NONCE_LINE.search(message)
    return None if found is None else found[1]


def _moment(time: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as browsers write it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
