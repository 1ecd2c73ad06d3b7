"""Tokens against cross-site request forgery: who acts by cookie must also send what only its own page could read.

A token is an HMAC of the session's id, so that nothing is stored and every replica knows it. Requests that carry
their credentials in a header need none: no other site can make a browser send them.
"""

import hashlib
import hmac
from uuid import UUID

from agentauri.errors import Forbidden

HEADER = "x-csrf-token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSED = "a request by cookie needs the header X-CSRF-Token; GET /api/v1/auth/csrf gives its value."


class Csrf:
    """Makes and checks tokens under a key derived from the deployment's secret key."""

    def __init__(self, secret_key: str) -> None:
        self._key = hashlib.sha256(b"agentauri csrf\0" + secret_key.encode()).digest()

    def token(self, session_id: UUID) -> str:
        """The token of a session."""
        return hmac.new(self._key, session_id.bytes, hashlib.sha256).hexdigest()

    def check(self, session_id: UUID, sent: str | None) -> None:
        """Raise Forbidden unless ``sent`` is the session's token; compared in constant time."""
        if not hmac.compare_digest(self.token(session_id).encode(), (sent or "").encode()):
            raise Forbidden(REFUSED)
