"""Access tokens: what they say comes back, what is wrong is refused, and two keys are always alive."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt

from agentauri.accounts.tokens import (
    ACCESS_SECONDS,
    KEY_SIGNS_FOR,
    LEEWAY_SECONDS,
    AccessTokens,
    Claims,
    ClientClaims,
    keys_to_make,
    make_key,
    make_refresh_token,
    refresh_hash,
)
from agentauri.errors import Unauthenticated

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ISSUER = "https://agentauri.example"
KEYS = [make_key(NOW - timedelta(days=1)), make_key(NOW + timedelta(days=29))]
TOKENS = AccessTokens(KEYS, issuer=ISSUER, audience=ISSUER)


def test_what_is_issued_verifies_to_the_same_claims() -> None:
    user, session = uuid4(), uuid4()
    claims = TOKENS.verify(TOKENS.issue(user, session, NOW), NOW)
    assert isinstance(claims, Claims)
    assert (claims.user_id, claims.session_id) == (user, session)
    assert claims.expires_at == int(NOW.timestamp()) + ACCESS_SECONDS


def test_a_clients_token_says_organization_grant_and_scopes() -> None:
    client, grant, organization = uuid4(), uuid4(), uuid4()
    token = TOKENS.issue_client(client, grant_id=grant, organization_id=organization, scopes=["a", "b"], now=NOW)
    claims = TOKENS.verify(token, NOW)
    assert isinstance(claims, ClientClaims)
    assert (claims.client_id, claims.grant_id, claims.organization_id) == (client, grant, organization)
    assert claims.scopes == {"a", "b"}
    assert claims.expires_at == int(NOW.timestamp()) + ACCESS_SECONDS


@pytest.mark.parametrize(
    ("seconds", "valid"),
    [
        (ACCESS_SECONDS + LEEWAY_SECONDS - 1, True),
        (ACCESS_SECONDS + LEEWAY_SECONDS, False),
        (-LEEWAY_SECONDS, True),
        (-LEEWAY_SECONDS - 1, False),
    ],
)
def test_a_token_lives_for_its_minutes_and_the_leeway(seconds: int, valid: bool) -> None:
    token = TOKENS.issue(uuid4(), uuid4(), NOW)
    if valid:
        TOKENS.verify(token, NOW + timedelta(seconds=seconds))
    else:
        with pytest.raises(Unauthenticated):
            TOKENS.verify(token, NOW + timedelta(seconds=seconds))


def test_a_token_outlives_its_keys_time_to_sign_but_not_the_key() -> None:
    end = KEYS[0].signs_until
    token = TOKENS.issue(uuid4(), uuid4(), end - timedelta(seconds=1))
    TOKENS.verify(token, end + timedelta(minutes=14))
    assert KEYS[0].expires_at > end + timedelta(seconds=ACCESS_SECONDS + LEEWAY_SECONDS)
    with pytest.raises(Unauthenticated):
        TOKENS.verify(token, KEYS[0].expires_at)


def test_the_next_key_signs_from_its_time_on() -> None:
    before, after = (TOKENS.issue(uuid4(), uuid4(), NOW + timedelta(days=days)) for days in (28, 30))
    only_first = AccessTokens(KEYS[:1], issuer=ISSUER, audience=ISSUER)
    assert not only_first.is_of_unknown_key(before)
    assert only_first.is_of_unknown_key(after)


ALGORITHMS: list[object] = ["none", "HS256", "EdDSA", "", None, 1, ["Ed25519"]]
KEY_IDS: list[object] = [None, 1, [], [KEYS[0].kid], {}, "../../dev/null"]
TYPES: list[object] = [None, "JWT", "at+JWT", [], {}]
MORE: list[dict[str, object]] = [
    {"crit": [1]},
    {"crit": ["exp"]},
    {"b64": False},
    {"jwk": {}},
    {"jku": "http://[::1]/"},
]
OURS = {"alg": "Ed25519", "kid": KEYS[0].kid, "typ": "at+jwt"}
HEADERS: list[object] = [
    [],
    {"alg": "Ed25519", "typ": "at+jwt"},
    *({**OURS, "alg": alg} for alg in ALGORITHMS),
    *({**OURS, "kid": kid} for kid in KEY_IDS),
    *({**OURS, "typ": typ} for typ in TYPES),
    *({**OURS, **more} for more in MORE),
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_a_header_that_is_not_ours_is_refused_and_breaks_nothing(header: object) -> None:
    _, claims, signature = TOKENS.issue(uuid4(), uuid4(), NOW).split(".")
    head = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    for token in (f"{head}.{claims}.{signature}", f"{head}.{claims}."):
        TOKENS.is_of_unknown_key(token)
        with pytest.raises(Unauthenticated):
            TOKENS.verify(token, NOW)


def test_a_token_signed_by_our_key_with_a_header_of_others_is_refused() -> None:
    claims = {"iss": ISSUER, "aud": ISSUER, "sub": str(uuid4()), "sid": str(uuid4()), "jti": "x"}
    times = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + ACCESS_SECONDS}
    for header in ({"typ": "JWT"}, {"typ": "at+jwt", "cty": "x"}):
        full = {"alg": "Ed25519", "kid": KEYS[0].kid, **header}
        token = jwt.encode(full, claims | times, KEYS[0].key, ["Ed25519"])
        with pytest.raises(Unauthenticated):
            TOKENS.verify(token, NOW)


@given(text=st.text(max_size=80))
def test_no_text_is_taken_for_a_token_or_breaks_anything(text: str) -> None:
    assert not TOKENS.is_of_unknown_key(text) or "." in text
    with pytest.raises(Unauthenticated):
        TOKENS.verify(text, NOW)


@given(days=st.lists(st.integers(0, 40), max_size=40))
def test_one_key_signs_and_the_next_is_there_whenever_one_looks(days: list[int]) -> None:
    now, windows = NOW, list[tuple[datetime, datetime]]()
    for step in days:
        now += timedelta(days=step)
        windows += [(start, start + KEY_SIGNS_FOR) for start in keys_to_make(windows, now)]
        signing = [window for window in windows if window[0] <= now < window[1]]
        coming = [window for window in windows if window[0] > now]
        assert (len(signing), len(coming)) == (1, 1)
        assert coming[0][0] == signing[0][1]
        assert keys_to_make(windows, now) == []


def test_a_refresh_token_is_long_random_and_stored_as_its_hash() -> None:
    (one, stored), (other, _) = make_refresh_token(), make_refresh_token()
    assert one.startswith("aurr_")
    assert len(one) == len("aurr_") + 43
    assert one != other
    assert stored == refresh_hash(one)
    assert len(stored) == 32
