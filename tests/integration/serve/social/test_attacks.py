"""What attackers try with a social login: foreign callbacks, forged cookies, stolen codes, redirects elsewhere."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from agentauri.accounts.social import challenge_of
from agentauri.models.social import Attempt, Provider
from agentauri.serve.app import create_app
from agentauri.serve.auth.social import pending
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, settings_for
from tests.integration.serve.social.conftest import BOTH, FRONT, HOME, Browser, World
from tests.support.fake_provider import SETTINGS

VERIFIER = "v" * 43


@BOTH
async def test_a_login_comes_back_to_the_browser_that_began_it_alone(
    world: World, browser: Browser, pool: Pool, provider: str
) -> None:
    """Login CSRF: somebody is sent to the callback with an attacker's code and state."""
    attackers = await world.browser()
    back = await attackers.begin(provider)
    assert (await browser.get(back)).status_code == 400  # no login of its own
    await browser.get(f"{HOME}/api/v1/auth/{provider}")
    answer = await browser.get(back)  # one of its own, with another state
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert await pool.fetchval("SELECT count(*) FROM users") == 0
    assert (await attackers.get(back)).status_code == 200


@BOTH
async def test_state_and_cookie_have_to_be_there_and_whole(browser: Browser, provider: str) -> None:
    back = await browser.begin(provider)
    cookie = browser.cookies[f"login-{provider}"]
    other = "github" if provider == "google" else "google"
    path, _, query = back.partition("?")
    state = parse_qs(query)["state"][0]
    for change in ({"state": "x"}, {"state": ""}, {"state": state[:-1]}, {"state": "\u00e9"}):
        assert (await browser.get(path, params={"code": "x", **change})).status_code == 400
    for forged in ("", "x", cookie[:-4] + "AAAA", cookie[8:], "é"):
        header = {"Cookie": f"login-{provider}={forged}"}
        browser.cookies.clear()
        assert (await browser.get(back, headers=[(b"cookie", header["Cookie"].encode())])).status_code == 400
    moved = back.replace(f"/{provider}/", f"/{other}/")  # a login of one provider at the other's callback
    assert (await browser.get(moved, headers={"Cookie": f"login-{other}={cookie}"})).status_code == 400
    assert (await browser.get(back, headers={"Cookie": f"login-{provider}={cookie}"})).status_code == 200


@BOTH
async def test_a_callback_works_once_even_for_who_kept_the_cookie(
    world: World, browser: Browser, pool: Pool, provider: str
) -> None:
    back = await browser.begin(provider)
    cookie = browser.cookies[f"login-{provider}"]
    assert (await browser.get(back)).status_code == 200
    assert f"login-{provider}" not in browser.cookies
    assert (await browser.get(back)).status_code == 400
    kept = {"Cookie": f"login-{provider}={cookie}"}
    assert (await browser.get(back, headers=kept)).status_code == 401  # the provider knows that code no more
    fresh = parse_qs(urlsplit(await (await world.browser()).begin(provider)).query)["code"][0]
    attempt = opened(world, provider, cookie)  # and if it gave a second code for that very login
    world.fake.codes[fresh].challenge, world.fake.codes[fresh].nonce = challenge_of(attempt.verifier), attempt.nonce
    query = {"code": fresh, "state": parse_qs(urlsplit(back).query)["state"][0]}
    again = await browser.get(f"{back.partition('?')[0]}?{urlencode(query)}", headers=kept)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    assert await pool.fetchval("SELECT count(*) FROM login_codes") == 1


def opened(world: World, provider: str, cookie: str) -> Attempt:
    """What a browser's cookie holds."""
    found = pending._open(world.app.state.context.vault, Provider(provider), cookie)
    assert found is not None
    return found.attempt


async def test_the_cookie_says_nothing_and_no_script_reads_it(world: World, browser: Browser) -> None:
    answer = await browser.get(f"{HOME}/api/v1/auth/google", params={"redirect": FRONT})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    state = parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]
    assert state not in cookie
    assert "Secure" not in cookie


async def test_over_tls_no_other_host_can_set_the_cookie(world: World, database: str, redis_url: str) -> None:
    oauth = {"github": SETTINGS}
    app = create_app(settings_for(database, redis_url, oauth=oauth, public_url="https://api.example.com"), cost=CHEAP)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://api.example.com") as client,
    ):
        answer = await client.get("/api/v1/auth/github")
    assert answer.headers["location"].startswith("https://github.com/login/oauth/authorize?")
    assert answer.headers["set-cookie"].startswith("__Host-login-github=")
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_login_that_took_too_long_is_begun_again(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "ATTEMPT_LIFETIME", timedelta(seconds=-1))
    back = await browser.begin("google")
    sealed = (await browser.get(f"{HOME}/api/v1/auth/google")).headers["set-cookie"].partition(";")[0]
    assert (await browser.get(back, headers={"Cookie": sealed})).status_code == 400


async def test_another_site_cannot_make_a_signed_in_browser_link(world: World, browser: Browser, pool: Pool) -> None:
    signed_in, _ = await world.register(pool, verified=False)
    browser.cookies.set("auth-token", signed_in.headers["Authorization"].removeprefix("Bearer "))
    link = f"{HOME}/api/v1/auth/link/google"
    refused = await browser.get(link, headers={"Sec-Fetch-Site": "cross-site"})
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")
    for site in ("same-origin", "same-site", "none"):
        assert (await browser.get(link, headers={"Sec-Fetch-Site": site})).status_code == 302
    assert (await signed_in.get(link, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 302


ELSEWHERE = [
    "//evil.example", "\\\\evil.example", "/\\evil.example", "https://evil.example", "https://localhost:3000@evil.example",
    "http://localhost:3000@evil.example", "http://localhost:3000.evil.example", "http://localhost:3000\\@evil.example",
    "javascript:alert(1)", "%2f%2fevil.example", "http://localhost:3000/\r\nSet-Cookie: x=y", "", "x" * 3000,
    "http://localhost:3000/?code=aurc_mine", "http://localhost:3001/",
]  # fmt: skip


@BOTH
async def test_no_login_leads_elsewhere(world: World, browser: Browser, pool: Pool, provider: str) -> None:
    signed_in, _ = await world.register(pool, verified=False)
    for redirect in ELSEWHERE:
        for client, path in ((browser, ""), (signed_in, "link/")):
            answer = await client.get(f"{HOME}/api/v1/auth/{path}{provider}", params={"redirect": redirect})
            assert answer.status_code == 400, redirect
            assert answer.json()["errors"][0]["pointer"] == "/query/redirect"
            assert "set-cookie" not in answer.headers


async def test_a_code_works_once_and_for_five_minutes(browser: Browser, pool: Pool) -> None:
    code = (await browser.visit("/auth/google")).json()["data"]["code"]
    assert (await browser.exchange(code)).status_code == 200
    assert (await browser.exchange(code)).status_code == 401
    code = (await browser.visit("/auth/google")).json()["data"]["code"]
    left = await pool.fetchval("SELECT extract(epoch FROM expires_at - created_at)::int FROM login_codes")
    assert left == 300
    await pool.execute("UPDATE login_codes SET expires_at = now()")
    answer = await browser.exchange(code)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
    for wrong in ("x", "aurc_x", ""):
        assert (await browser.exchange(wrong)).status_code == 401


async def test_a_code_is_exchanged_by_one_of_many_at_once(browser: Browser) -> None:
    code = (await browser.visit("/auth/google")).json()["data"]["code"]
    answers = await asyncio.gather(*(browser.exchange(code) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_of_a_code_only_its_hash_is_stored(browser: Browser, pool: Pool) -> None:
    code = (await browser.visit("/auth/google")).json()["data"]["code"]
    assert code not in str(await pool.fetchrow("SELECT * FROM login_codes"))


async def test_a_code_with_a_challenge_is_of_no_use_without_the_verifier(browser: Browser) -> None:
    """A front end is handed somebody else's code: it has no verifier that fits."""
    code = (await browser.visit("/auth/google", challenge=challenge_of(VERIFIER))).json()["data"]["code"]
    assert (await browser.exchange(code)).status_code == 401
    assert (await browser.exchange(code, verifier="w" * 43)).status_code == 401
    assert (await browser.exchange(code, verifier=VERIFIER)).status_code == 200
    plain = (await browser.visit("/auth/google")).json()["data"]["code"]
    assert (await browser.exchange(plain, verifier=VERIFIER)).status_code == 401
