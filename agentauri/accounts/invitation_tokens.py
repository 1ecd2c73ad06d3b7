"""Tokens of invitations: whoever brings one back, signed in under the invited address, becomes a member, once.

Of a token only a hash is stored.
"""

import hashlib
import secrets
from datetime import timedelta

PREFIX = "auri_"
TOKEN_BYTES = 32
LIFETIME = timedelta(days=7)


def make_invitation_token() -> tuple[str, bytes]:
    """A new token of 256 random bits, and the SHA-256 that is stored of it."""
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    return token, invitation_token_hash(token)


def invitation_token_hash(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).digest()
