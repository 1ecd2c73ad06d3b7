"""Signatures of Standard Webhooks 1.0: ``v1`` HMAC-SHA256 with shared secrets, ``v1a`` Ed25519 with a key pair.

What is signed is ``id.timestamp.body``. Every live secret signs, so a receiver verifies with the one that it knows
while a rotation is under way.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SECRET_PREFIX = "whsec_"
PRIVATE_PREFIX = "whsk_"
PUBLIC_PREFIX = "whpk_"

Signer: TypeAlias = Callable[[bytes], str]
"""Makes one signature, version included, of the signed text."""


def hmac_signer(secret: str) -> Signer:
    """Signs with a shared secret, ``whsec_`` and base64. Raises ValueError on another form."""
    key = _decode(secret, SECRET_PREFIX)
    return lambda signed: "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def ed25519_signer(secret: str) -> Signer:
    """Signs with a private key, ``whsk_`` and the base64 of its 32 bytes. Raises ValueError on another form."""
    key = Ed25519PrivateKey.from_private_bytes(_decode(secret, PRIVATE_PREFIX))
    return lambda signed: "v1a," + b64encode(key.sign(signed)).decode()


def signer(secret: str) -> Signer:
    """Signs with a secret of either kind. Raises ValueError on another form."""
    return ed25519_signer(secret) if secret.startswith(PRIVATE_PREFIX) else hmac_signer(secret)


def verifies(key: str, delivery_id: str, timestamp: str, body: bytes, signatures: str) -> bool:
    """Whether one of ``signatures``, as the header has them, was made with ``key``: ``whsec_…``, or the ``whpk_…`` of
    a key pair. How old the timestamp may be is the receiver's business. Raises ValueError on a key of another form."""
    signed = b"%s.%s.%s" % (delivery_id.encode(), timestamp.encode(), body)
    given = signatures.split(" ")
    if key.startswith(PUBLIC_PREFIX):
        public = Ed25519PublicKey.from_public_bytes(_decode(key, PUBLIC_PREFIX))
        return any(_is_signed(public, one, signed) for one in given)
    wanted = hmac_signer(key)(signed).encode()
    return any(hmac.compare_digest(wanted, one.encode()) for one in given)


def _is_signed(public: Ed25519PublicKey, signature: str, signed: bytes) -> bool:
    version, _, text = signature.partition(",")
    try:
        public.verify(b64decode(text, validate=True), signed)
    except (InvalidSignature, ValueError):
        return False
    return version == "v1a"


def _decode(secret: str, prefix: str) -> bytes:
    if not secret.startswith(prefix):
        raise ValueError(f"a signing secret begins with {prefix}.")
    return b64decode(secret[len(prefix) :], validate=True)


def signed_headers(delivery_id: str, timestamp: int, body: bytes, signers: Sequence[Signer]) -> dict[str, str]:
    """The three headers; ``timestamp`` in seconds since 1970. Without a signer there is no signature header."""
    headers = {"webhook-id": delivery_id, "webhook-timestamp": str(timestamp)}
    if signers:
        signed = b"%s.%d.%s" % (delivery_id.encode(), timestamp, body)
        headers["webhook-signature"] = " ".join(sign(signed) for sign in signers)
    return headers
