"""Tokens that mails carry: whoever brings one back reads the mail of an address. Of a token only a hash is stored.

Each works once and for one purpose: to verify the address of an account, to change to another, or to set a new
password. A new one does not end earlier ones, for mails overtake each other; using one for a password ends them all.
"""

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum

PREFIX = "aurm_"
TOKEN_BYTES = 32
MAX_AN_HOUR = 5
"""Mails of one purpose that one account causes in an hour."""


class Purpose(StrEnum):
    """What a token is good for."""

    VERIFY = "verify"
    CHANGE = "change"
    RESET = "reset"


LIFETIME = {
    Purpose.VERIFY: timedelta(hours=24),
    Purpose.CHANGE: timedelta(hours=24),
    Purpose.RESET: timedelta(hours=1),
}


def make_mail_token() -> tuple[str, bytes]:
    """A new token of 256 random bits, and the SHA-256 that is stored of it."""
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    return token, mail_token_hash(token)


def mail_token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
