"""Login providers against one that speaks the real protocols: who signs in is known, and forgeries are not believed."""

import gzip
import hmac
import json
import socket
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from agentauri.accounts.social import make_attempt
from agentauri.channels.social import calls, google
from agentauri.channels.social.calls import Bounded, Registration
from agentauri.channels.social.github import GitHub
from agentauri.channels.social.google import Google
from agentauri.errors import Unauthenticated, Unavailable
from agentauri.models.social import Attempt, Profile, Provider
from tests.support.fake_provider import CLIENT_ID, CLIENT_SECRET, Account, Claims, FakeProvider, running

CALLBACK = "http://127.0.0.1:8000/api/v1/auth/x/callback"
REGISTRATION = Registration(CLIENT_ID, CLIENT_SECRET, CALLBACK)


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with running(FakeProvider(callbacks={CALLBACK})) as provider:
        yield provider


@pytest.fixture
async def transport() -> AsyncIterator[Bounded]:
    made = Bounded()
    yield made
    await made.close()


@pytest.fixture
def a_google(fake: FakeProvider, transport: Bounded) -> Google:
    return Google(REGISTRATION, transport, fake.url)


@pytest.fixture
def a_github(fake: FakeProvider, transport: Bounded) -> GitHub:
    return GitHub(REGISTRATION, transport, fake.url)


async def visit(url: str) -> tuple[str, str]:
    """Sign in at the provider, as a browser does: the code and state that come back."""
    async with httpx2.AsyncClient(trust_env=False, verify=False) as browser:
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return query["code"][0], query["state"][0]


async def log_in(provider: Google | GitHub, attempt: Attempt | None = None) -> Profile:
    attempt = attempt or make_attempt()
    code, state = await visit(await provider.begin(attempt))
    assert state == attempt.state
    return await provider.finish(attempt, code)


@pytest.mark.parametrize("name", list(Provider))
async def test_who_signs_in_is_known(fake: FakeProvider, a_google: Google, a_github: GitHub, name: Provider) -> None:
    provider = a_google if name is Provider.GOOGLE else a_github
    assert await log_in(provider) == Profile(name, "1001", "ada@example.com", True, "Ada Lovelace")


@pytest.mark.parametrize("name", list(Provider))
async def test_an_unverified_address_is_told_as_such(
    fake: FakeProvider, a_google: Google, a_github: GitHub, name: Provider
) -> None:
    fake.account = Account(verified=False)
    assert not (await log_in(a_google if name is Provider.GOOGLE else a_github)).email_verified


async def test_github_without_a_primary_address_has_none(fake: FakeProvider, a_github: GitHub) -> None:
    fake.account = Account(email=None)
    assert (await log_in(a_github)).email is None


async def test_a_browser_is_sent_with_s256_and_a_nonce_and_no_verifier(a_google: Google) -> None:
    attempt = make_attempt()
    url = await a_google.begin(attempt)
    query = parse_qs(urlsplit(url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert (query["nonce"], query["state"]) == ([attempt.nonce], [attempt.state])
    assert query["scope"] == ["openid email profile"]
    assert query["redirect_uri"] == [CALLBACK]
    assert attempt.verifier not in url
    assert CLIENT_SECRET not in url


@pytest.mark.parametrize("name", list(Provider))
async def test_a_code_of_another_login_or_without_a_challenge_is_refused(
    fake: FakeProvider, a_google: Google, a_github: GitHub, name: Provider
) -> None:
    provider = a_google if name is Provider.GOOGLE else a_github
    code, _ = await visit(await provider.begin(make_attempt()))
    with pytest.raises(Unauthenticated):
        await provider.finish(make_attempt(), code)
    url = (await provider.begin(attempt := make_attempt())).replace("code_challenge=", "x=")
    code, _ = await visit(url)  # downgraded on its way: the provider minds the verifier that comes nevertheless
    with pytest.raises(Unauthenticated):
        await provider.finish(attempt, code)


@pytest.mark.parametrize("name", list(Provider))
async def test_a_code_works_once(fake: FakeProvider, a_google: Google, a_github: GitHub, name: Provider) -> None:
    provider = a_google if name is Provider.GOOGLE else a_github
    attempt = make_attempt()
    code, _ = await visit(await provider.begin(attempt))
    await provider.finish(attempt, code)
    with pytest.raises(Unauthenticated):
        await provider.finish(attempt, code)


def change(**claims: Any) -> Callable[[Claims], Claims]:
    return lambda old: old | claims


OLD = int(time.time()) - 600
FORGED: dict[str, Callable[[Claims], Claims]] = {
    "audience": change(aud="other"),
    "audiences without party": change(aud=[CLIENT_ID, "other"], azp=None),
    "party": change(azp="other"),
    "nonce": change(nonce="other"),
    "no nonce": change(nonce=None),
    "issuer": change(iss="https://accounts.google.com"),
    "no issuer": change(iss=None),
    "expired": change(exp=OLD),
    "no expiry": change(exp=None),
    "expiry as text": change(exp="9999999999"),
    "issued later": change(iat=OLD + 3600),
    "no subject": change(sub=None),
    "empty subject": change(sub=""),
    "subject as number": change(sub=1001),
}


@pytest.mark.parametrize("name", FORGED)
async def test_an_id_token_that_says_something_wrong_is_refused(
    fake: FakeProvider, a_google: Google, name: str
) -> None:
    fake.spoil = FORGED[name]
    with pytest.raises(Unauthenticated, match="did not confirm"):
        await log_in(a_google)


def by_hand(header: Claims, claims: Claims, secret: bytes | None) -> str:
    """A token that no library would sign: alg none, or the public key for a shared secret."""
    head, payload = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    mac = b"" if secret is None else hmac.digest(secret, head + b"." + payload, "sha256")
    return b".".join([head, payload, urlsafe_b64encode(mac).rstrip(b"=")]).decode()


async def test_id_tokens_of_other_keys_and_algorithms_are_refused(fake: FakeProvider, a_google: Google) -> None:
    kid = fake.key.kid
    public = fake.key.as_pem(private=False)
    stranger = RSAKey.generate_key(2048)
    ways: list[Callable[[Claims], str]] = [
        lambda claims: by_hand({"alg": "none"}, claims, None),
        lambda claims: by_hand({"alg": "none", "kid": kid}, claims, None),
        lambda claims: by_hand({"alg": "HS256", "kid": kid}, claims, public),
        lambda claims: by_hand({"alg": "HS256", "kid": kid}, claims, CLIENT_SECRET.encode()),
        lambda claims: jwt.encode({"alg": "RS256", "kid": kid}, claims, stranger, ["RS256"]),
        lambda claims: jwt.encode({"alg": "RS256"}, claims, stranger, ["RS256"]),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "unknown"}, claims, stranger, ["RS256"]),
        lambda claims: fake.signed(claims)[:-4] + "AAAA",
        lambda claims: "a.b.c",
        lambda claims: "",
    ]
    for sign in ways:
        fake.sign = sign
        with pytest.raises((Unauthenticated, Unavailable)):
            await log_in(a_google)


async def test_new_keys_of_the_provider_are_looked_up_but_not_for_every_stranger(
    fake: FakeProvider, transport: Bounded
) -> None:
    now = 1000.0
    provider = Google(REGISTRATION, transport, fake.url, clock=lambda: now)
    await log_in(provider)
    fake.key = RSAKey.generate_key(2048, auto_kid=True)
    for _ in range(2):
        with pytest.raises(Unauthenticated):  # looked a moment ago
            await log_in(provider)
    assert fake.visits.count("/jwks") == 1
    now += google.LOOK_AGAIN_SECONDS
    await log_in(provider)
    assert fake.visits.count("/jwks") == 2


async def test_known_keys_serve_on_while_the_provider_publishes_nothing(fake: FakeProvider, transport: Bounded) -> None:
    now = 1000.0
    provider = Google(REGISTRATION, transport, fake.url, clock=lambda: now)
    fake.answers = {"/jwks": lambda: web.Response(status=503)}
    for _ in range(3):
        with pytest.raises(Unavailable):
            await provider.begin(make_attempt())
    assert fake.visits.count("/jwks") == 1  # nobody waits for what has just failed
    fake.answers = {}
    now += google.AWAY_SECONDS
    await log_in(provider)
    fake.answers = {"/jwks": lambda: web.Response(status=503)}
    now += google.KEEP_SECONDS
    await log_in(provider)


NONSENSE: dict[str, Callable[[], web.Response]] = {
    "500": lambda: web.Response(status=500),
    "html": lambda: web.Response(text="<html>", content_type="text/html"),
    "list": lambda: web.json_response([1]),
    "null": lambda: web.json_response(None),
    "empty": lambda: web.json_response({}),
    "deep": lambda: web.Response(text="[" * 100_000, content_type="application/json"),
    "large": lambda: web.Response(body=b" " * (calls.MAX_ANSWER_BYTES + 1), content_type="application/json"),
    "bomb": lambda: web.Response(body=gzip.compress(b" " * 10**6), headers={"Content-Encoding": "gzip"}),
    "redirect": lambda: web.Response(status=302, headers={"Location": "/jwks"}),
}
GOOGLE_PATHS = ["/.well-known/openid-configuration", "/jwks", "/token"]
GITHUB_PATHS = ["/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails"]


@pytest.mark.parametrize("path", GOOGLE_PATHS + GITHUB_PATHS)
async def test_nonsense_of_a_provider_is_its_absence(fake: FakeProvider, transport: Bounded, path: str) -> None:
    for name, answer in NONSENSE.items():
        if (name, path) == ("list", "/api/v3/user/emails"):
            continue
        kind = Google if path in GOOGLE_PATHS else GitHub
        fake.answers = {path: answer}
        with pytest.raises(Unavailable, match="does not answer as it should"):
            await log_in(kind(REGISTRATION, transport, fake.url))


async def test_depth_is_bounded_whatever_the_recursion_limit_is(fake: FakeProvider, a_google: Google) -> None:
    deep = urlsafe_b64encode(b"[" * 9_000).decode()
    fake.sign = lambda _: f"{deep}.{deep}."
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)  # as a library may
    try:
        with pytest.raises(Unavailable):
            await log_in(a_google)
    finally:
        sys.setrecursionlimit(limit)


async def test_a_discovery_document_of_another_issuer_is_not_believed(fake: FakeProvider, a_google: Google) -> None:
    document = {"issuer": "https://accounts.google.com", "authorization_endpoint": "x"}
    fake.answers = {"/.well-known/openid-configuration": lambda: web.json_response(document)}
    with pytest.raises(Unavailable):
        await a_google.begin(make_attempt())


async def test_a_provider_that_hangs_or_is_gone_is_given_up(
    fake: FakeProvider, transport: Bounded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CALL_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # nobody accepts
        provider = Google(REGISTRATION, transport, f"http://127.0.0.1:{hanging.getsockname()[1]}")
        with pytest.raises(Unavailable):
            await provider.begin(make_attempt())
    with pytest.raises(Unavailable):
        await provider.begin(make_attempt())


async def test_text_that_cannot_be_stored_is_cleaned(fake: FakeProvider, a_github: GitHub) -> None:
    fake.account = Account(name="A\0da \ud83d")
    assert (await log_in(a_github)).name == "Ada"


@pytest.mark.parametrize("name", list(Provider))
async def test_a_wrong_registration_is_the_operators_matter(
    fake: FakeProvider, transport: Bounded, name: Provider
) -> None:
    kind = Google if name is Provider.GOOGLE else GitHub
    with pytest.raises(Unavailable):
        await log_in(kind(Registration(CLIENT_ID, "wrong", CALLBACK), transport, fake.url))
