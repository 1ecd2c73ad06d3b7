"""Login with Google: OpenID Connect with S256 PKCE and a nonce; who somebody is comes from the signed id_token alone.

The token is verified against the provider's published keys: an asymmetric algorithm, issuer, audience, times, nonce.
Discovery and keys are kept for an hour; a key id that is not among them makes us look again, once a minute at most.
"""

import asyncio
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from agentauri.channels.social.calls import LOGIN_SECONDS, MAX_DEPTH, Bounded, Calls, Registration, text_of
from agentauri.errors import Unavailable
from agentauri.models.depth import is_deeper
from agentauri.models.social import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, MAX_SUBJECT_LENGTH, Attempt, Profile, Provider

HOME = "https://accounts.google.com"
SCOPE = "openid email profile"
ALGORITHMS = ["RS256", "ES256"]
LEEWAY_SECONDS = 60
KEEP_SECONDS = 3600.0
AWAY_SECONDS = 5.0
"""After a failure to read nobody tries again for so long: those in line would wait for one another's time-outs."""
LOOK_AGAIN_SECONDS = 60.0
MAX_ID_TOKEN_LENGTH = 16 * 1024


@dataclass(frozen=True, slots=True)
class Published:
    """What the provider publishes of itself, and when it was read."""

    authorize: str
    token: str
    keys: KeySet
    read_at: float


class Google:
    """Google, or an OpenID provider at ``base_url``, which is then its issuer."""

    provider = Provider.GOOGLE

    def __init__(
        self,
        registration: Registration,
        transport: Bounded,
        base_url: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = Calls(self.provider, registration, transport)
        self._issuer = base_url or HOME
        self._clock = clock
        self._published: Published | None = None
        self._failed_at = float("-inf")
        self._reading = asyncio.Lock()

    async def begin(self, attempt: Attempt) -> str:
        """The address to send the browser to. Raises Unavailable."""
        async with self._calls.guarded(), asyncio.timeout(LOGIN_SECONDS):
            published = await self._discover()
        return self._calls.redirection(published.authorize, SCOPE, attempt, nonce=attempt.nonce)

    async def finish(self, attempt: Attempt, code: str) -> Profile:
        """Whose login it was. Raises Unauthenticated or Unavailable."""
        async with self._calls.guarded(), asyncio.timeout(LOGIN_SECONDS):
            published = await self._discover()
            async with self._calls.client(SCOPE) as client:
                token = await self._calls.swap(client, published.token, attempt, code)
            id_token = token.get("id_token")
            if not isinstance(id_token, str) or len(id_token) > MAX_ID_TOKEN_LENGTH or _is_deep(id_token):
                raise self._calls.nonsense()
            return self._profile(await self._verify(id_token, published, attempt.nonce))

    async def _discover(self, *, for_key: str | None = None) -> Published:
        """What is published; read again when it is old, or lacks a key and was not read a moment ago.

        When that fails, what was read before serves on. Raises Unavailable when there is nothing.
        """
        async with self._reading:
            known = self._published
            if known is not None:
                age = self._clock() - known.read_at
                lacks = for_key is not None and all(key.kid != for_key for key in known.keys)
                if age < (LOOK_AGAIN_SECONDS if lacks else KEEP_SECONDS):
                    return known
            if self._clock() - self._failed_at >= AWAY_SECONDS:
                try:
                    self._published = known = await self._read()
                except Unavailable:
                    self._failed_at = self._clock()
            if known is None:
                raise self._calls.nonsense()
            return known

    async def _read(self) -> Published:
        document = await self._calls.fetch(f"{self._issuer}/.well-known/openid-configuration")
        if not isinstance(document, dict) or document.get("issuer") != self._issuer:
            raise self._calls.nonsense()
        authorize, token, keys = (
            self._endpoint(document.get(name)) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        )
        found = await self._calls.fetch(keys)
        try:
            return Published(authorize, token, KeySet.import_key_set(found), self._clock())
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._calls.nonsense() from error

    def _endpoint(self, url: Any) -> str:
        """An address out of the discovery document; not in clear, unless the provider itself is."""
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", urlsplit(self._issuer).scheme):
            raise self._calls.nonsense()
        return url

    async def _verify(self, id_token: str, published: Published, nonce: str) -> dict[str, Any]:
        try:
            kid = jws.extract_compact(id_token.encode()).headers().get("kid")
            if isinstance(kid, str) and all(key.kid != kid for key in published.keys):
                published = await self._discover(for_key=kid)
            decoded = jwt.decode(id_token, published.keys, ALGORITHMS)
            self._checks(nonce).validate(decoded.claims)
        except Unavailable:
            raise
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise self._calls.refusal() from error
        audience, party = decoded.claims["aud"], decoded.claims.get("azp")
        is_shared = isinstance(audience, list) and len(audience) > 1
        if (is_shared or party is not None) and party != self._calls.registration.client_id:
            raise self._calls.refusal()
        return dict(decoded.claims)

    def _checks(self, nonce: str) -> jwt.JWTClaimsRegistry:
        issuers = [self._issuer, self._issuer.removeprefix("https://")]  # Google has two spellings of its name
        return jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "values": issuers},
            aud={"essential": True, "value": self._calls.registration.client_id},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        )

    def _profile(self, claims: dict[str, Any]) -> Profile:
        subject, email, name = claims["sub"], claims.get("email"), claims.get("name")
        if not (subject.isascii() and subject.isprintable() and len(subject) <= MAX_SUBJECT_LENGTH):
            raise self._calls.nonsense()
        return Profile(
            self.provider,
            subject,
            text_of(email, MAX_EMAIL_LENGTH) or None,
            claims.get("email_verified") is True,
            text_of(name, MAX_NAME_LENGTH),
        )


def _is_deep(token: str) -> bool:
    """Whether header or claims of a token nest too deeply to be parsed. Raises ValueError for what is no base64."""
    return any(is_deeper(urlsafe_b64decode(part + "=="), MAX_DEPTH) for part in token.split(".")[:2])
