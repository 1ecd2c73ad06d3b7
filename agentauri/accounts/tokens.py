"""Access tokens (Ed25519 JWTs, 15 minutes) with the keys that sign them, and refresh tokens.

Two keys are alive at any time: one signs, the next is published already, so that a verifier who cached the JWKS
never meets an unknown key; a key that has signed verifies until its last token has run out. What a token says is
checked here; whether its user and session still live is asked by ``serve/principal.py``.
"""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from agentauri.errors import Unauthenticated
from agentauri.models.ids import OrganizationId, UserId

ALGORITHM = "Ed25519"
SIGNER = jws.JWSRegistry(algorithms=[ALGORITHM]).get_alg(ALGORITHM)
TYPE = "at+jwt"
HEADER = {"alg", "kid", "typ"}
ACCESS_SECONDS = 15 * 60
LEEWAY_SECONDS = 30
REFRESH_LIFETIME = timedelta(days=30)
REFRESH_PREFIX = "aurr_"
REFRESH_BYTES = 32
KEY_SIGNS_FOR = timedelta(days=30)
MAX_TOKEN_LENGTH = 2048
NOT_VALID = "the access token is not valid or has expired; log in again."


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair and its times: it signs in [signs_from, signs_until) and verifies until expires_at."""

    key: OKPKey
    signs_from: datetime
    signs_until: datetime
    expires_at: datetime

    @property
    def kid(self) -> str:
        """The key's id: its RFC 7638 thumbprint."""
        return str(self.key.kid)

    def public(self) -> dict[str, Any]:
        """The public JWK as the JWKS shows it."""
        return {**self.key.as_dict(private=False), "alg": ALGORITHM, "use": "sig", "kid": self.kid}


def make_key(signs_from: datetime) -> SigningKey:
    """A new key pair that signs for 30 days from ``signs_from``."""
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    until = signs_from + KEY_SIGNS_FOR
    return SigningKey(key, signs_from, until, until + timedelta(seconds=ACCESS_SECONDS + 2 * LEEWAY_SECONDS))


def keys_to_make(windows: Sequence[tuple[datetime, datetime]], now: datetime) -> list[datetime]:
    """When new keys must begin to sign, so that one signs now and the next is published.

    ``windows`` are (signs_from, signs_until) of the keys that exist.
    """
    starts: list[datetime] = []
    ends = [until for _, until in windows if until > now]
    if not any(start <= now < until for start, until in windows):
        starts.append(now)
        ends.append(now + KEY_SIGNS_FOR)
    if len(ends) < 2:
        starts.append(max(ends))
    return starts


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says."""

    user_id: UserId
    session_id: UUID
    expires_at: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class ClientClaims:
    """What a verified access token of an OAuth client says. ``grant_id``: the grant that it descends from."""

    client_id: UUID
    grant_id: UUID
    organization_id: OrganizationId
    scopes: frozenset[str]
    expires_at: int
    """Seconds since 1970."""


class AccessTokens:
    """Issues and verifies access tokens of one issuer with a set of keys."""

    def __init__(self, keys: Sequence[SigningKey], *, issuer: str, audience: str) -> None:
        self._keys = sorted(keys, key=lambda key: key.signs_from)
        self._by_kid = {key.kid: key for key in keys}
        self._heads = {key.kid: _head(key.kid) for key in keys}
        self._issuer, self._audience = issuer, audience

    def is_of_unknown_key(self, token: str) -> bool:
        """Whether a token names a key that is not loaded; False also for what is no token."""
        try:
            return _header(token)["kid"] not in self._by_kid
        except (JoseError, ValueError):
            return False

    def jwks(self, now: datetime) -> dict[str, Any]:
        """The public keys that verify now or will soon, as a JWK set."""
        return {"keys": [key.public() for key in self._keys if key.expires_at > now]}

    def issue(self, user_id: UUID, session_id: UUID, now: datetime) -> str:
        """A signed token of a user for 15 minutes."""
        return self._sign({"sub": str(user_id), "sid": str(session_id)}, now)

    def issue_client(
        self, client_id: UUID, *, grant_id: UUID, organization_id: UUID, scopes: Iterable[str], now: datetime
    ) -> str:
        """A signed token of an OAuth client for 15 minutes; its claims are those of RFC 9068, and the organization."""
        own = {"client_id": str(client_id), "org": str(organization_id), "scope": " ".join(scopes)}
        return self._sign({"sub": str(client_id), "sid": str(grant_id), **own}, now)

    def _sign(self, own: dict[str, str], now: datetime) -> str:
        """A token in the compact form of RFC 7515; the library's ``encode`` costs twice the signature."""
        signer = next(key for key in reversed(self._keys) if key.signs_from <= now)
        issued = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            **own,
            "jti": str(uuid4()),
            "iat": issued,
            "exp": issued + ACCESS_SECONDS,
        }
        signed = self._heads[signer.kid] + b"." + _base64url(orjson.dumps(claims))
        return (signed + b"." + _base64url(SIGNER.sign(signed, signer.key))).decode()

    def verify(self, token: str, now: datetime) -> Claims | ClientClaims:
        """What a token says. Raises Unauthenticated, without saying which check failed."""
        try:
            header = _header(token)
            key = self._by_kid.get(header["kid"])
            if header["typ"] != TYPE or key is None or key.expires_at <= now:
                raise Unauthenticated(NOT_VALID)
            decoded = jwt.decode(token, key.key, [ALGORITHM])
            self._checks(now).validate(decoded.claims)
            return _read(decoded.claims)
        except (JoseError, ValueError) as error:
            raise Unauthenticated(NOT_VALID) from error

    def _checks(self, now: datetime) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            sid={"essential": True},
            jti={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )


def _head(kid: str) -> bytes:
    """The encoded header of the tokens that a key signs."""
    return _base64url(orjson.dumps({"alg": ALGORITHM, "kid": kid, "typ": TYPE}))


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _header(token: str) -> dict[str, str]:
    """The header of a token, believed by nobody yet: the three texts of ours and nothing else. Raises ValueError.

    Libraries meet a key id that is a list, or a ``crit``, with whatever happens then; none of ours has one.
    """
    header = jws.extract_compact(token.encode()).headers()
    if header.keys() != HEADER or not all(isinstance(value, str) for value in header.values()):
        raise ValueError(NOT_VALID)
    return header


def _read(claims: dict[str, Any]) -> Claims | ClientClaims:
    """The claims of a token whose signature and times are right. Raises ValueError."""
    subject, session, expires = UUID(claims["sub"]), UUID(str(claims["sid"])), int(claims["exp"])
    if "client_id" not in claims:
        return Claims(UserId(subject), session, expires)
    organization, scopes = OrganizationId(UUID(str(claims.get("org")))), str(claims.get("scope")).split()
    return ClientClaims(subject, session, organization, frozenset(scopes), expires)


def make_refresh_token() -> tuple[str, bytes]:
    """A new refresh token of 256 random bits, and the SHA-256 that is stored of it."""
    token = REFRESH_PREFIX + secrets.token_urlsafe(REFRESH_BYTES)
    return token, refresh_hash(token)


def refresh_hash(token: str) -> bytes:
    """What is stored of a refresh token."""
    return hashlib.sha256(token.encode()).digest()
