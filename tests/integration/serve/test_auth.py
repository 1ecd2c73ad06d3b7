"""Accounts over HTTP: registering, logging in, tokens that are refused, and what a token reaches."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from agentauri.accounts.passwords import Cost, Passwords
from agentauri.accounts.tokens import AccessTokens, make_key
from agentauri.store import signing_keys
from agentauri.store.database import Pool
from tests.integration.serve.conftest import PASSWORD, Api, User
from tests.support.waiting import eventually

WRONG = {"error": "unauthenticated", "detail": "the e-mail, user name or password is wrong."}


async def test_registering_makes_user_organization_secret_and_session_together(user: User, pool: Pool) -> None:
    data = user.registered
    assert set(data) == {"token", "refresh_token", "expires_in", "user", "webhook_secret"}
    assert data["expires_in"] == 900
    (organization,) = data["user"]["organizations"]
    assert (organization["personal"], organization["role"]) == (True, "owner")
    stored = await pool.fetchrow("SELECT u.password_hash, t.token_sha256 FROM users AS u, refresh_tokens AS t")
    assert stored is not None
    assert stored["password_hash"].startswith("$argon2id$")
    assert stored["token_sha256"] == hashlib.sha256(data["refresh_token"].encode()).digest()


@pytest.mark.parametrize("taken", ["email", "username"])
async def test_a_taken_name_is_a_conflict_and_leaves_nothing(api: Api, pool: Pool, taken: str) -> None:
    await api.register(username="Ada")
    body = {"email": "new@example.com", "username": "other", "password": PASSWORD}
    body |= {"email": "USER0@example.com"} if taken == "email" else {"username": "ADA"}
    answer = await api.client.post("/api/v1/auth/register", json=body)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert await pool.fetchval("SELECT count(*) FROM organizations") == 1


BAD_REGISTRATIONS: list[tuple[dict[str, Any], str]] = [
    ({"email": "nobody"}, "/email"),
    ({"email": "a@b@example.com"}, "/email"),
    ({"email": "a\0@example.com"}, "/email"),
    ({"password": "short"}, "/password"),
    ({"password": "x" * 129}, "/password"),
    ({"password": "passwordpassword"}, "/password"),
    ({"password": "adalovelace-horse-battery"}, "/password"),
    ({"password": "horse-LOVELY@example.com"}, "/password"),
    ({"username": "a b"}, "/username"),
    ({"username": "x@example.com"}, "/username"),
    ({"nickname": "x"}, "/nickname"),
]


async def test_a_bad_registration_names_the_field_and_echoes_nothing(api: Api) -> None:
    for change, pointer in BAD_REGISTRATIONS:
        body = {"email": "lovely@example.com", "password": PASSWORD, "username": "adalovelace", **change}
        answer = await api.client.post("/api/v1/auth/register", json=body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert str(body["password"]) not in answer.text


@pytest.mark.parametrize("name", [{"email": "USER0@EXAMPLE.com "}, {"username": "ADA"}])
async def test_logging_in_by_email_or_user_name(api: Api, name: dict[str, str]) -> None:
    await api.register(username="ada")
    answer = await api.client.post("/api/v1/auth/login", json={**name, "password": PASSWORD, "cookie": False})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    data = answer.json()["data"]
    assert set(data) == {"token", "refresh_token", "expires_in", "user"}
    assert (await User(api.client, "", data["token"], "", {}).call("GET", "/auth/me")).status_code == 200


async def test_a_hash_of_other_parameters_is_renewed_at_login(api: Api, user: User, pool: Pool) -> None:
    earlier = Passwords(cost=Cost(memory_kib=32, iterations=1), threads=1)
    old = earlier.hash_now(PASSWORD)
    earlier.close()
    await pool.execute("UPDATE users SET password_hash = $1", old)
    for _ in range(2):
        answer = await api.client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
        assert answer.status_code == 200
        renewed = await pool.fetchval("SELECT password_hash FROM users")
        assert "m=64" in renewed
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 3


async def test_unknown_user_wrong_password_and_disabled_account_look_the_same(api: Api, user: User, pool: Pool) -> None:
    tries = [{"email": "no@example.com", "password": PASSWORD}, {"email": user.email, "password": "wrong"}]
    answers = [await api.client.post("/api/v1/auth/login", json=one) for one in tries]
    await pool.execute("UPDATE users SET disabled_at = now()")
    answers.append(await api.client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD}))
    for answer in answers:
        assert answer.status_code == 401
        assert WRONG.items() <= answer.json().items()
        assert answer.headers["www-authenticate"] == "Bearer"


BAD_LOGINS: list[Any] = [
    {"password": "x"},
    {"email": "a", "username": "b", "password": "x"},
    {"email": "a"},
    [],
    "x",
    None,
]


async def test_a_login_without_one_name_and_a_password_is_refused(api: Api) -> None:
    for body in BAD_LOGINS:
        answer = await api.client.post("/api/v1/auth/login", json=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def _token(api: Api, good: str, **change: Any) -> str:
    """The good token, signed again with the application's own key, with claims or header changed."""
    tokens: AccessTokens = api.app.state.context.keys.tokens
    signer = tokens._keys[0]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
    header = {"alg": "Ed25519", "kid": signer.kid, "typ": "at+jwt", **change.pop("header", {})}
    claims = {key: value for key, value in {**claims, **change}.items() if value is not ...}
    return jwt.encode(header, claims, signer.key, ["Ed25519"])


AGO = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp())


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"}, {"aud": "other"}, {"exp": AGO}, {"iat": AGO + 3600}, {"sub": str(uuid4())},
    {"sid": str(uuid4())}, {"sub": "x"}, {"sub": ...}, {"sid": ...}, {"jti": ...}, {"exp": ...}, {"iat": ...},
    {"iss": ...}, {"aud": ...}, {"header": {"typ": "JWT"}}, {"header": {"kid": "unknown"}},
]  # fmt: skip


async def test_a_token_that_says_something_wrong_is_refused(api: Api, user: User) -> None:
    good = user.token
    for change in WRONG_CLAIMS:
        user.token = _token(api, good, **change)
        assert (await user.call("GET", "/auth/me")).status_code == 401, change
    user.token = _token(api, good)
    assert (await user.call("GET", "/auth/me")).status_code == 200


async def test_tokens_of_other_keys_and_algorithms_are_refused(api: Api, user: User) -> None:
    head, payload, _ = user.token.split(".")
    kid = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    public = (await api.client.get("/.well-known/jwks.json")).json()["keys"][0]["x"]
    forged = [
        jwt.encode(
            {"alg": "Ed25519", "kid": kid, "typ": "at+jwt"}, claims, OKPKey.generate_key("Ed25519"), ["Ed25519"]
        ),
        jwt.encode({"alg": "HS256", "kid": kid, "typ": "at+jwt"}, claims, OctKey.import_key(public), ["HS256"]),
        base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=") + f".{payload}.",
        user.token[:-4] + "AAAA",
        "x" * 3000,
        "a.b.c",
    ]
    for token in forged:
        user.token = token
        assert (await user.call("GET", "/auth/me")).status_code == 401


NO_CREDENTIALS: list[dict[str, str]] = [
    {},
    {"Authorization": "Basic x"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer aur_live_x"},
    {"X-API-Key": "aur_live_x"},
]


async def test_without_credentials_the_answer_says_what_to_send(api: Api) -> None:
    for headers in NO_CREDENTIALS:
        answer = await api.client.get("/api/v1/triggers", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
        assert re.search("/api/v1/auth/login|API key", answer.json()["detail"])


async def test_the_header_chooses_the_organization_and_foreign_ones_are_not_found(
    api: Api, user: User, pool: Pool
) -> None:
    other = await api.register()
    header = {"X-Organization-ID": other.organization_id}
    assert (await user.call("GET", "/triggers", headers=header)).status_code == 404
    await pool.execute(
        "INSERT INTO members VALUES ($1, $2, 'viewer')",
        UUID(other.organization_id),
        UUID(user.registered["user"]["id"]),
    )

    async def found() -> bool:
        return (await user.call("GET", "/triggers", headers=header)).status_code == 200

    await eventually(found, seconds=1.0)
    assert (await user.call("POST", "/webhook-secrets", headers=header)).status_code == 403
    assert (await user.call("GET", "/triggers", headers={"X-Organization-ID": "mine"})).status_code == 400


async def test_an_eleventh_session_ends_the_oldest(api: Api, user: User, pool: Pool) -> None:
    for _ in range(10):
        await api.client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD})
    assert await pool.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 10
    assert (await user.call("GET", "/auth/me")).status_code == 401


async def test_two_replicas_share_their_keys_and_rotation_keeps_old_tokens(api: Api, user: User, pool: Pool) -> None:
    jwks = (await api.client.get("/.well-known/jwks.json")).json()["keys"]
    assert [(key["kty"], key["crv"], key["alg"], key["use"]) for key in jwks] == [
        ("OKP", "Ed25519", "Ed25519", "sig")
    ] * 2
    assert all("d" not in key for key in jwks)
    keys = api.app.state.context.keys
    await keys.refresh()
    assert (await api.client.get("/.well-known/jwks.json")).json()["keys"] == jwks
    await pool.execute("UPDATE signing_keys SET signs_until = now() WHERE signs_from <= now()")
    await pool.execute("UPDATE signing_keys SET signs_from = now() WHERE signs_from > now()")
    await keys.refresh()
    assert (await user.call("GET", "/auth/me")).status_code == 200
    assert len((await api.client.get("/.well-known/jwks.json")).json()["keys"]) == 3


async def test_a_key_that_another_replica_made_is_looked_up_at_once(api: Api, user: User, pool: Pool) -> None:
    keys = api.app.state.context.keys
    made = keys._seal(make_key(datetime.now(UTC)))
    async with pool.acquire() as connection:
        await signing_keys.insert(connection, made)
    other = AccessTokens([keys._open(made)], issuer=keys._issuer, audience=keys._issuer)
    session = await pool.fetchval("SELECT id FROM sessions")
    user.token = other.issue(UUID(user.registered["user"]["id"]), session, datetime.now(UTC))
    keys._loaded -= 60
    assert (await user.call("GET", "/auth/me")).status_code == 200
