"""The token endpoint: what it gives, how refresh tokens rotate, and the words in which it refuses."""

import asyncio
import base64
import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
import pytest

from agentauri.serve.app import create_app
from agentauri.store import client_grants
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, CONTRACT, Api, User, settings_for
from tests.integration.serve.oauth.conftest import BODY, FORM, GRANT, TOKEN, ask, basic, call, refresh
from tests.support.openapi import CheckedTransport
from tests.support.waiting import eventually


async def test_tokens_say_what_rfc_9068_wants(api: Api, made: dict[str, Any], user: User) -> None:
    answer = await ask(api, made, scope="triggers:read")
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    head, payload, _ = (part + "==" for part in answer.json()["access_token"].split("."))
    header, claims = (json.loads(base64.urlsafe_b64decode(part)) for part in (head, payload))
    assert (header["alg"], header["typ"]) == ("Ed25519", "at+jwt")
    assert claims["sub"] == claims["client_id"] == made["id"]
    assert (claims["org"], claims["scope"]) == (user.organization_id, "triggers:read")
    assert claims["exp"] - claims["iat"] == 900


async def test_refresh_tokens_rotate_and_a_late_reuse_ends_the_grant(
    api: Api, made: dict[str, Any], pool: Pool
) -> None:
    first = (await ask(api, made)).json()
    second = (await refresh(api, made, first["refresh_token"])).json()
    again = (await refresh(api, made, first["refresh_token"])).json()  # within the grace: a lost answer
    assert again["refresh_token"] == second["refresh_token"]
    await pool.execute("UPDATE client_refresh_tokens SET used_at = used_at - interval '11 s'")
    reused = await refresh(api, made, first["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert (await refresh(api, made, second["refresh_token"])).json()["error"] == "invalid_grant"

    async def refused() -> bool:
        return (await call(api, second["access_token"], "/triggers")).status_code == 401

    await eventually(refused)
    assert (await ask(api, made)).status_code == 200  # the client itself goes on
    audited = await pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'oauth_client.refresh_token_reused'")
    assert audited == 1


async def test_of_many_refreshes_at_once_all_get_the_same_successor(api: Api, made: dict[str, Any]) -> None:
    first = (await ask(api, made)).json()["refresh_token"]
    answers = await asyncio.gather(*(refresh(api, made, first) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_a_refresh_token_is_of_use_to_its_own_client_alone(api: Api, user: User, made: dict[str, Any]) -> None:
    token = (await ask(api, made)).json()["refresh_token"]
    other = (await user.call("POST", "/oauth/clients", json=BODY)).json()["data"]
    for client, text in ((other, token), (made, user.registered["refresh_token"]), (made, "aurr_x"), (made, "x")):
        answer = await refresh(api, client, text)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    users = await api.client.post("/api/v1/auth/refresh", json={"refresh_token": token})
    assert users.status_code == 401
    assert (await refresh(api, made, token)).status_code == 200


async def test_a_refresh_may_narrow_scopes_and_never_widens_them(api: Api, made: dict[str, Any]) -> None:
    token = (await ask(api, made, scope="events:read")).json()["refresh_token"]
    wider = await refresh(api, made, token, scope="events:read triggers:read")
    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert (await refresh(api, made, token)).json()["scope"] == "events:read"


async def test_an_expired_refresh_token_is_refused(api: Api, made: dict[str, Any], pool: Pool) -> None:
    token = (await ask(api, made)).json()["refresh_token"]
    await pool.execute("UPDATE client_refresh_tokens SET expires_at = now()")
    assert (await refresh(api, made, token)).json()["error"] == "invalid_grant"


async def test_grants_and_refreshes_at_once_do_not_lock_each_other_out(
    api: Api, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_grants, "MAX_LIVE", 1)  # so that each grant ends those that are being renewed
    for _ in range(5):
        tokens = [(await ask(api, made)).json()["refresh_token"] for _ in range(2)]
        work = [*(refresh(api, made, token) for token in tokens), *(ask(api, made) for _ in range(4))]
        answers = await asyncio.gather(*work)
        assert {answer.status_code for answer in answers} <= {200, 400}


async def test_beyond_a_hundred_grants_the_oldest_renews_no_more_but_its_token_lives(
    api: Api, made: dict[str, Any], pool: Pool
) -> None:
    first = (await ask(api, made)).json()
    await pool.execute(
        """INSERT INTO client_grants (id, client_id, organization_id, permissions, expires_at, last_used_at)
           SELECT gen_random_uuid(), client_id, organization_id, permissions, expires_at, now() + n * interval '1 s'
           FROM client_grants, generate_series(1, 100) AS n"""
    )
    assert (await ask(api, made)).status_code == 200
    assert (await refresh(api, made, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await call(api, first["access_token"], "/triggers")).status_code == 200


Case = tuple[dict[str, Any], int, str]


def cases(made: dict[str, Any]) -> list[Case]:
    """Requests, and how RFC 6749 calls what is wrong with them."""
    known, right = basic(made), {"client_id": made["id"], "client_secret": made["secret"]}
    form = {"content-type": FORM}
    return [
        ({"data": {}, "headers": known}, 400, "invalid_request"),
        ({"data": {"grant_type": ""}, "headers": known}, 400, "invalid_request"),
        ({"data": {"grant_type": "password"}, "headers": known}, 400, "unsupported_grant_type"),
        ({"data": {"grant_type": "authorization_code"}, "headers": known}, 400, "unsupported_grant_type"),
        ({"data": {"grant_type": "refresh_token"}, "headers": known}, 400, "invalid_request"),
        ({"data": {**GRANT, "scope": "all"}, "headers": known}, 400, "invalid_scope"),
        ({"data": {**GRANT, "scope": "triggers:write"}, "headers": known}, 400, "invalid_scope"),
        ({"data": {**GRANT, "scope": " "}, "headers": known}, 400, "invalid_scope"),
        ({"data": GRANT | right, "headers": known}, 400, "invalid_request"),
        ({"data": GRANT | {"client_id": str(uuid4())}, "headers": known}, 400, "invalid_request"),
        ({"data": GRANT}, 401, "invalid_client"),
        ({"data": GRANT | right | {"client_secret": "wrong"}}, 401, "invalid_client"),
        ({"data": GRANT | right | {"client_id": str(uuid4())}}, 401, "invalid_client"),
        ({"data": GRANT | right | {"client_id": "me"}}, 401, "invalid_client"),
        ({"data": GRANT | {"client_id": made["id"]}}, 401, "invalid_client"),
        ({"data": GRANT, "headers": {"Authorization": "Bearer x"}}, 401, "invalid_client"),
        ({"data": GRANT, "headers": {"Authorization": "Basic !"}}, 401, "invalid_client"),
        ({"data": GRANT, "headers": {"Authorization": "Basic eA=="}}, 401, "invalid_client"),
        ({"data": GRANT, "headers": {"Authorization": "Basic " + "A" * 5000}}, 401, "invalid_client"),
        ({"content": "grant_type=client_credentials&grant_type=x", "headers": known | form}, 400, "invalid_request"),
        ({"content": "grant_type=client_credentials&scope=%c3%a9", "headers": known | form}, 400, "invalid_request"),
        ({"content": "grant_type=%ff", "headers": known | form}, 400, "invalid_request"),
        ({"content": "grant_type=%00", "headers": known | form}, 400, "invalid_request"),
        ({"content": "&".join(["a=b"] * 100), "headers": known | form}, 400, "invalid_request"),
        ({"content": "grant_type=é".encode(), "headers": known | form}, 400, "invalid_request"),
        ({"content": b"x" * 9000, "headers": known | form}, 400, "invalid_request"),
        ({"content": b"", "headers": known | form}, 400, "invalid_request"),
        ({"json": GRANT, "headers": known}, 415, "unsupported_media_type"),
        ({"content": b"grant_type=client_credentials", "headers": known}, 415, "unsupported_media_type"),
        ({"content": b"x" * (2**20 + 1), "headers": known | form}, 413, "payload_too_large"),
    ]


async def test_what_is_wrong_is_said_in_the_words_of_rfc_6749(api: Api, made: dict[str, Any]) -> None:
    for request, status, error in cases(made):
        answer = await api.client.post(TOKEN, **request)
        assert (answer.status_code, answer.json()["error"]) == (status, error), request
        assert made["secret"] not in answer.text
        if status in (400, 401):
            assert answer.headers["cache-control"] == "no-store"
            assert "x-ratelimit-remaining" in answer.headers
            assert set(answer.json()) == {"error", "error_description"}
            assert answer.json()["error_description"].isascii()
        assert answer.headers.get("www-authenticate", "").startswith("Basic") == (status == 401)


async def test_guesses_at_a_client_are_bounded_by_address_and_by_client(database: str, redis_url: str) -> None:
    limits = {"mode": "enforce", "token": 100}
    app = create_app(settings_for(database, redis_url, rate_limits=limits), cost=CHEAP)
    transport = CheckedTransport(httpx2.ASGITransport(app), CONTRACT)
    form = GRANT | {"client_id": str(uuid4()), "client_secret": "guess"}
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        statuses = [(await client.post(TOKEN, data=form)).status_code for _ in range(12)]
        refused = await client.post(TOKEN, data=form)
    assert statuses[0] == 401
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0


async def test_a_form_may_say_more_than_is_known_here(api: Api, made: dict[str, Any]) -> None:
    """RFC 6749 wants unknown fields ignored; RFC 8707 sends one of them several times."""
    secret = {"client_id": made["id"], "client_secret": made["secret"]}
    form = urlencode(GRANT | secret | {"note": "\u00e9\0"}) + "&resource=a&resource=b&scope="
    headers = {"content-type": f"{FORM}; charset=UTF-8"}
    assert (await api.client.post(TOKEN, content=form, headers=headers)).status_code == 200
