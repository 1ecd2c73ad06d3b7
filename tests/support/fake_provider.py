"""A login provider that speaks the real protocols on loopback: OpenID Connect as Google does, OAuth 2 as GitHub does.

It is strict where providers are: the client's secret, the registered callback, PKCE with S256, codes that work once.
Whoever visits its authorize page is at once signed in as ``account`` and sent back. ``spoil`` changes id_tokens.
"""

import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.loopback import served

CLIENT_ID, CLIENT_SECRET = "client-1", "secret&+ %1"
SETTINGS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

KEY = RSAKey.generate_key(2048, auto_kid=True)
"""Made once: it takes a second."""

Claims = dict[str, Any]


@dataclass
class Account:
    """Who signs in there."""

    subject: str = "1001"
    email: str | None = "ada@example.com"
    verified: bool = True
    name: str = "Ada Lovelace"


@dataclass
class Granted:
    """What stands behind a code or a token."""

    account: Account
    redirect_uri: str
    challenge: str | None
    nonce: str | None


@dataclass
class FakeProvider:
    """Both providers at one address. ``answers`` replaces what stands at a path."""

    account: Account = field(default_factory=Account)
    callbacks: set[str] = field(default_factory=set)
    key: RSAKey = field(default_factory=lambda: KEY)
    spoil: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    answers: dict[str, web.StreamResponse | Callable[[], web.StreamResponse]] = field(default_factory=dict)
    url: str = ""
    codes: dict[str, Granted] = field(default_factory=dict)
    tokens: dict[str, Granted] = field(default_factory=dict)
    visits: list[str] = field(default_factory=list)

    def app(self) -> web.Application:
        """The server."""
        made = web.Application(middlewares=[self._replaced])
        made.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/jwks", self._jwks),
                web.get("/authorize", self._authorize),
                web.post("/token", self._token),
                web.get("/userinfo", self._userinfo),
                web.get("/login/oauth/authorize", self._authorize),
                web.post("/login/oauth/access_token", self._token),
                web.get("/api/v3/user", self._user),
                web.get("/api/v3/user/emails", self._emails),
            ]
        )
        return made

    @web.middleware
    async def _replaced(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.visits.append(request.path)
        found = self.answers.get(request.path)
        if found is None:
            answer: web.StreamResponse = await handler(request)
            return answer
        return found() if callable(found) else found

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "jwks_uri": f"{self.url}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [{**self.key.as_dict(private=False), "alg": "RS256", "use": "sig"}]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        callback = asked.get("redirect_uri", "")
        if asked.get("client_id") != CLIENT_ID or callback not in self.callbacks:
            return web.Response(status=400, text="unknown client or callback")
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") not in (None, "S256"):
            return web.Response(status=400, text="only code with S256")
        code = secrets.token_urlsafe(16)
        self.codes[code] = Granted(self.account, callback, asked.get("code_challenge"), asked.get("nonce"))
        back = urlencode({"code": code, "state": asked["state"], "iss": self.url, "scope": asked["scope"]})
        return web.Response(status=302, headers={"Location": f"{callback}?{back}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        granted = self.codes.pop(str(form.get("code")), None)
        right = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if not right or form.get("grant_type") != "authorization_code":
            return _refused(request, "invalid_client")
        verifier = form.get("code_verifier")
        shown = None if verifier is None else challenge_of(str(verifier))
        if granted is None or granted.redirect_uri != form.get("redirect_uri") or granted.challenge != shown:
            return _refused(request, "invalid_grant")
        token = secrets.token_urlsafe(16)
        self.tokens[token] = granted
        answer: dict[str, object] = {"access_token": token, "token_type": "bearer", "scope": "granted"}
        if request.path == "/token":
            answer |= {"expires_in": 3600, "id_token": self._id_token(granted)}
        return web.json_response(answer)

    def _id_token(self, granted: Granted) -> str:
        now = int(time.time())
        account = granted.account
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "azp": CLIENT_ID,
            "sub": account.subject,
            "email": account.email,
            "email_verified": account.verified,
            "name": account.name,
            "nonce": granted.nonce,
            "iat": now,
            "exp": now + 3600,
        }
        claims = {name: value for name, value in self.spoil(claims).items() if value is not None}
        return self.signed(claims) if self.sign is None else self.sign(claims)

    def signed(self, claims: Claims) -> str:
        """An id_token as the provider signs it."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key, ["RS256"])

    def _granted(self, request: web.Request) -> Account:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.tokens:
            raise web.HTTPUnauthorized
        return self.tokens[token].account

    async def _userinfo(self, request: web.Request) -> web.Response:
        account = self._granted(request)
        return web.json_response({"sub": account.subject, "email": account.email, "email_verified": account.verified})

    async def _user(self, request: web.Request) -> web.Response:
        account = self._granted(request)
        return web.json_response({"id": int(account.subject), "login": "ada", "name": account.name, "email": None})

    async def _emails(self, request: web.Request) -> web.Response:
        account = self._granted(request)
        others = {"email": "other@example.com", "primary": False, "verified": True, "visibility": None}
        own = {"email": account.email, "primary": True, "verified": account.verified, "visibility": "public"}
        return web.json_response([others] if account.email is None else [others, own])


def _refused(request: web.Request, error: str) -> web.Response:
    """As each of them says no: GitHub under 200 and in words of its own."""
    if request.path == "/token":
        return web.json_response({"error": error, "error_description": "no"}, status=400)
    own = {"invalid_grant": "bad_verification_code", "invalid_client": "incorrect_client_credentials"}
    return web.json_response({"error": own[error], "error_description": "no"})


def challenge_of(verifier: str) -> str:
    """S256 of RFC 7636."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


@asynccontextmanager
async def running(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """The provider on a free port of loopback."""
    async with served(provider.app()) as provider.url:
        yield provider
