"""OAuth clients: their secrets, how they show them, and what of their scopes they are granted (RFC 6749).

A secret has 256 random bits, so its SHA-256 is stored as it is; it is compared in constant time, and a client that is
not known costs the same comparison.
"""

import hashlib
import secrets
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import unquote_plus
from uuid import UUID

from agentauri.accounts.roles import Scope
from agentauri.errors import OAuthRefused

SECRET_PREFIX = "aurs_"
SECRET_BYTES = 32
SHOWN_LENGTH = len(SECRET_PREFIX) + 4
"""Characters by which people tell secrets apart; 232 secret bits remain."""
MAX_CREDENTIALS_LENGTH = 1024
NOBODY = hashlib.sha256(secrets.token_bytes(SECRET_BYTES)).digest()
WRONG_CLIENT = "the client is unknown or revoked, or its secret is wrong"


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was just made: its text, shown once, and what is stored of it."""

    text: str
    prefix: str
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says that it is."""

    client_id: UUID
    secret: str


def make_secret() -> NewSecret:
    """A new client secret."""
    text = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    return NewSecret(text, text[:SHOWN_LENGTH], secret_hash(text))


def secret_hash(text: str) -> bytes:
    """What is stored of a client secret."""
    return hashlib.sha256(text.encode()).digest()


def is_secret(stored: bytes | None, text: str) -> bool:
    """Whether ``text`` is the secret behind ``stored``; None takes as long and is never true."""
    return compare_digest(stored or NOBODY, secret_hash(text)) and stored is not None


def read_credentials(authorization: str | None, form: Mapping[str, str]) -> Credentials:
    """The client's id and secret, from the Basic header or the form, never both. Raises OAuthRefused."""
    if authorization is not None:
        id_, secret = _read_basic(authorization)
        if "client_secret" in form:
            raise OAuthRefused("invalid_request", "the client shows its secret twice; use the header or the form")
        if form.get("client_id", id_) != id_:
            raise OAuthRefused("invalid_request", "client_id differs from the client in the header")
    else:
        id_, secret = form.get("client_id", ""), form.get("client_secret", "")
    try:
        return Credentials(UUID(id_), secret)
    except ValueError:
        raise OAuthRefused("invalid_client", WRONG_CLIENT) from None


def _read_basic(authorization: str) -> tuple[str, str]:
    scheme, _, text = authorization.partition(" ")
    try:
        if scheme.lower() != "basic" or len(text) > MAX_CREDENTIALS_LENGTH:
            raise ValueError(scheme)
        id_, found, secret = b64decode(text.strip(), validate=True).decode().partition(":")
        if not found:
            raise ValueError(scheme)
    except ValueError:
        raise OAuthRefused("invalid_client", "send the client's id and secret as HTTP Basic credentials") from None
    return unquote_plus(id_), unquote_plus(secret)  # RFC 6749 §2.3.1 has both form-encoded inside


def granted_scopes(wanted: str | None, allowed: Sequence[str]) -> list[str]:
    """The scopes of a ``scope`` parameter, all of ``allowed`` without one. Raises OAuthRefused for others."""
    found = list(allowed) if wanted is None else sorted(set(wanted.split(" ")) - {""})
    if not found or not set(found) <= set(allowed):
        raise OAuthRefused("invalid_scope", "the client may ask for these scopes alone: " + " ".join(sorted(allowed)))
    return [Scope(one).value for one in found]
