"""Login with Google and GitHub in a browser: who gets an account, who meets the own one, and who has to link it."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from aiohttp import web

from agentauri.serve.app import create_app
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, CONTRACT, settings_for
from tests.integration.serve.social.conftest import BOTH, FRONT, HOME, Browser, World, queries
from tests.support.fake_provider import Account
from tests.support.openapi import CheckedTransport


@BOTH
async def test_a_stranger_gets_an_account_and_comes_back_to_the_same(
    browser: Browser, pool: Pool, provider: str
) -> None:
    users = []
    for _ in range(2):
        answer = await browser.visit(f"/auth/{provider}", redirect=FRONT)
        assert answer.headers["cache-control"] == "no-store"
        tokens = await browser.exchange(queries(answer)["code"])
        assert tokens.status_code == 200
        assert tokens.headers["cache-control"] == "no-store"
        users.append(tokens.json()["data"]["user"])
    user = users[0]
    assert users[1]["id"] == user["id"]
    assert (user["email"], user["email_verified"], user["name"]) == ("ada@example.com", True, "Ada Lovelace")
    assert [one["role"] for one in user["organizations"]] == ["owner"]
    assert await pool.fetchval("SELECT count(*) FROM users") == 1
    assert [row["method"] for row in await pool.fetch("SELECT method FROM sessions")] == [provider] * 2
    actions = [row["action"] for row in await pool.fetch("SELECT action FROM audit_log ORDER BY created_at")]
    assert actions == ["user.registered", "identity.linked", "user.logged_in", "user.logged_in"]


async def test_the_tokens_of_a_social_login_work(browser: Browser) -> None:
    answer = await browser.visit("/auth/google")
    code = answer.json()["data"]
    assert (code["provider"], code["linked"], code["expires_in"]) == ("google", False, 300)
    token = (await browser.exchange(code["code"])).json()["data"]["token"]
    me = await browser.get(f"{HOME}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    found = me.json()["data"]
    assert (found["email"], found["last_login_at"] is None) == ("ada@example.com", False)


async def test_a_browser_that_logs_in_by_cookie_links_by_cookie(browser: Browser, pool: Pool) -> None:
    code = (await browser.visit("/auth/google")).json()["data"]["code"]
    assert (await browser.exchange(code, cookie=True)).status_code == 200
    assert (await browser.get(f"{HOME}/api/v1/auth/me")).status_code == 200
    assert (await browser.visit("/auth/link/github")).json()["data"]["linked"] is True
    assert await pool.fetchval("SELECT count(DISTINCT user_id) FROM identities") == 1


async def test_two_providers_with_one_verified_address_are_one_user(browser: Browser, pool: Pool) -> None:
    for provider in ("google", "github"):
        await browser.visit(f"/auth/{provider}")
    assert await pool.fetchval("SELECT count(*) FROM users") == 1
    assert await pool.fetchval("SELECT count(*) FROM identities") == 2


@BOTH
async def test_a_known_address_is_attached_when_both_sides_have_verified_it(
    world: World, browser: Browser, pool: Pool, provider: str
) -> None:
    _, user_id = await world.register(pool, verified=True)
    world.fake.account = Account(email="ADA@example.com")
    code = (await browser.visit(f"/auth/{provider}")).json()["data"]["code"]
    assert (await browser.exchange(code)).json()["data"]["user"]["id"] == user_id


@BOTH
@pytest.mark.parametrize(("there", "here"), [(True, False), (False, True), (False, False)])
async def test_a_known_address_that_one_side_has_not_verified_is_told_to_log_in_and_link(
    world: World, browser: Browser, pool: Pool, provider: str, there: bool, here: bool
) -> None:
    await world.register(pool, verified=here)
    world.fake.account = Account(verified=there)
    answer = await browser.visit(f"/auth/{provider}")
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert f"/auth/link/{provider}" in answer.json()["detail"]
    told = queries(await browser.visit(f"/auth/{provider}", redirect=FRONT))
    assert (told["error"], "log in" in told["message"]) == ("conflict", True)
    assert "code" not in told
    assert await pool.fetchval("SELECT count(*) FROM identities") == 0
    assert await pool.fetchval("SELECT count(*) FROM login_codes") == 0


@BOTH
async def test_an_unverified_address_is_not_given_to_a_new_account(
    world: World, browser: Browser, pool: Pool, provider: str
) -> None:
    world.fake.account = Account(verified=False)
    code = (await browser.visit(f"/auth/{provider}")).json()["data"]["code"]
    user = (await browser.exchange(code)).json()["data"]["user"]
    assert (user["email"], user["email_verified"]) == (None, False)


@BOTH
async def test_a_signed_in_user_links_and_then_logs_in_with_it(
    world: World, browser: Browser, pool: Pool, provider: str
) -> None:
    signed_in, user_id = await world.register(pool, verified=False)
    answer = await signed_in.get(f"{HOME}/api/v1/auth/link/{provider}", params={"follow": "false"})
    back = (await signed_in.get(answer.json()["data"]["url"])).headers["location"]
    del signed_in.headers["Authorization"]  # a browser that comes back from elsewhere sends no such header
    linked = await signed_in.get(back)
    assert linked.json()["data"] == {"provider": provider, "linked": True, "code": None, "expires_in": None}
    code = (await browser.visit(f"/auth/{provider}")).json()["data"]["code"]
    assert (await browser.exchange(code)).json()["data"]["user"]["id"] == user_id


async def test_linking_tells_the_front_end(world: World, pool: Pool) -> None:
    signed_in, _ = await world.register(pool, verified=False)
    assert queries(await signed_in.visit("/auth/link/google", redirect=FRONT)) == {"linked": "google"}
    assert queries(await signed_in.visit("/auth/link/google", redirect=FRONT)) == {"linked": "google"}
    assert await pool.fetchval("SELECT count(*) FROM identities") == 1


async def test_an_identity_of_another_user_is_not_taken_away(world: World, browser: Browser, pool: Pool) -> None:
    await browser.visit("/auth/google")
    signed_in, _ = await world.register(pool, verified=True, email="eve@example.com")
    answer = await signed_in.visit("/auth/link/google")
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_linking_takes_a_signed_in_user_then_and_at_the_end(world: World, browser: Browser, pool: Pool) -> None:
    assert (await browser.visit("/auth/link/google")).status_code == 401
    signed_in, _ = await world.register(pool, verified=False)
    sent = await signed_in.get(f"{HOME}/api/v1/auth/link/google")
    back = (await signed_in.get(sent.headers["location"])).headers["location"]
    await pool.execute("UPDATE sessions SET revoked_at = now()")
    assert (await signed_in.get(back)).status_code == 401
    assert await pool.fetchval("SELECT count(*) FROM identities") == 0


async def test_a_disabled_user_does_not_log_in(browser: Browser, pool: Pool) -> None:
    code = (await browser.visit("/auth/google")).json()["data"]["code"]
    await pool.execute("UPDATE users SET disabled_at = now()")
    assert (await browser.exchange(code)).status_code == 401
    assert (await browser.visit("/auth/google")).status_code == 401


@BOTH
async def test_a_refusal_at_the_provider_is_told(browser: Browser, provider: str) -> None:
    for redirect in ({}, {"redirect": FRONT}):
        back = await browser.begin(provider, **redirect)
        state = parse_qs(urlsplit(back).query)["state"][0]
        answer = await browser.get(back.partition("?")[0], params={"error": "access_denied", "state": state})
        if redirect:
            assert queries(answer)["error"] == "unauthenticated"
        else:
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")


async def test_a_provider_that_is_away_is_told(world: World, browser: Browser) -> None:
    back = await browser.begin("google", redirect=FRONT)
    world.fake.answers = {"/token": lambda: web.Response(status=503)}
    assert queries(await browser.get(back))["error"] == "unavailable"
    world.fake.answers = {"/login/oauth/access_token": lambda: web.Response(status=503)}
    answer = await browser.visit("/auth/github")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")


async def test_a_path_of_ours_and_a_front_end_with_a_query_are_kept(browser: Browser) -> None:
    for redirect, place in {"/docs": f"{HOME}/docs?code=", f"{FRONT}?state=1#/x": f"{FRONT}?state=1&code="}.items():
        back = await browser.begin("google", redirect=redirect)
        assert (await browser.get(back)).headers["location"].startswith(place)


async def test_first_logins_at_once_make_one_user(world: World, pool: Pool) -> None:
    browsers = [await world.browser() for _ in range(4)]
    backs = [await one.begin("google") for one in browsers]
    answers = await asyncio.gather(*(one.get(back) for one, back in zip(browsers, backs, strict=True)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert await pool.fetchval("SELECT count(*) FROM users") == 1


async def test_providers_that_are_not_set_up_are_not_found(database: str, redis_url: str) -> None:
    app = create_app(settings_for(database, redis_url), cost=CHEAP)
    transport = CheckedTransport(httpx2.ASGITransport(app, raise_app_exceptions=False), CONTRACT)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url=HOME) as client:
        for path in ("google", "github", "google/callback", "github/callback"):
            answer = await client.get(f"/api/v1/auth/{path}")
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
            assert "client_id" in answer.json()["detail"]
