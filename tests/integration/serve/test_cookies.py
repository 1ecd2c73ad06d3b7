"""Logins in a browser: cookies only when asked for, and nothing by cookie without the token of the page."""

import re
from typing import Any

import httpx2
import pytest

from tests.integration.serve.conftest import PASSWORD, Api, User, running, settings_for
from tests.support.smtp import Inbox

FLAGS = {"auth-token": "HttpOnly; Max-Age=900; Path=/; SameSite=lax"}
FLAGS["refresh-token"] = "HttpOnly; Max-Age=2592000; Path=/api/v1/auth; SameSite=strict"


def cookies(answer: httpx2.Response) -> dict[str, tuple[str, str]]:
    """Name to value and flags of each cookie that an answer sets."""
    found = {}
    for header in answer.headers.get_list("set-cookie"):
        name, value, flags = re.fullmatch(r"([^=]+)=([^;]*); (.*)", header).groups()  # type: ignore[union-attr]  # has one
        found[name] = value, flags
    return found


class Browser:
    """Keeps cookies as a browser does, paths apart: the application decides by names."""

    def __init__(self, api: Api) -> None:
        self._client, self.jar, self.csrf = api.client, dict[str, str](), ""

    async def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        kept = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        headers = {"Cookie": kept.encode()} if kept else {}
        if self.csrf:
            headers["X-CSRF-Token"] = self.csrf.encode()
        answer = await self._client.request(method, f"/api/v1{path}", headers=headers | more.pop("headers", {}), **more)
        self._client.cookies.clear()
        for name, (value, _) in cookies(answer).items():
            self.jar[name] = value.strip('"')
        return answer

    async def log_in(self, user: User) -> httpx2.Response:
        body = {"email": user.email, "password": PASSWORD, "cookie": True}
        answer = await self.call("POST", "/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        self.csrf = (await self.call("GET", "/auth/csrf")).json()["data"]["csrf_token"]
        return answer


@pytest.fixture
async def browser(api: Api, user: User) -> Browser:
    made = Browser(api)
    await made.log_in(user)
    return made


async def test_cookies_come_only_when_asked_for(api: Api, user: User) -> None:
    for body in ({}, {"cookie": False}):
        answer = await api.client.post("/api/v1/auth/login", json={"email": user.email, "password": PASSWORD, **body})
        assert "set-cookie" not in answer.headers
    assert "set-cookie" not in (await api.client.post("/api/v1/auth/register", json=new())).headers


def new(**more: object) -> dict[str, object]:
    return {"email": "new@example.com", "password": PASSWORD, **more}


async def test_no_script_and_no_other_site_gets_at_the_cookies(api: Api, user: User) -> None:
    answer = await Browser(api).log_in(user)
    found = cookies(answer)
    assert {name: flags for name, (_, flags) in found.items()} == FLAGS
    data = answer.json()["data"]
    assert (found["auth-token"][0], found["refresh-token"][0]) == (data["token"], data["refresh_token"])


async def test_a_front_end_on_another_site_gets_cookies_that_work_there_and_nowhere_else(api: Api, user: User) -> None:
    body = {"email": user.email, "password": PASSWORD, "cookie": True}
    elsewhere = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "cross-site"}
    login = await api.client.post("/api/v1/auth/login", json=body, headers=elsewhere)
    assert all(flags.endswith("; SameSite=none; Secure; Partitioned") for _, flags in cookies(login).values())
    logout = await user.call("POST", "/auth/logout", headers=elsewhere)
    assert {name: flags for name, (_, flags) in cookies(logout).items()} == {
        "auth-token": "HttpOnly; Max-Age=0; Path=/; SameSite=none; Secure; Partitioned",
        "refresh-token": "HttpOnly; Max-Age=0; Path=/api/v1/auth; SameSite=none; Secure; Partitioned",
    }


async def test_in_production_cookies_are_secure_whatever_the_address_is(database: str, redis_url: str) -> None:
    async with running(settings_for(database, redis_url, environment="production")) as api:
        answer = await api.client.post("/api/v1/auth/register", json=new(cookie=True))
        assert [flags[-8:] for _, flags in cookies(answer).values()] == ["; Secure"] * 2


async def test_under_https_cookies_are_secure(database: str, redis_url: str) -> None:
    settings = settings_for(database, redis_url, public_url="https://triggers.example.com")
    async with running(settings) as api:
        answer = await api.client.post("/api/v1/auth/register", json=new(cookie=True))
        assert answer.status_code == 201
        assert all(flags.endswith("; Secure") for _, flags in cookies(answer).values())
        assert len(cookies(answer)) == 2


async def test_reading_by_cookie_needs_no_token_and_changing_does(browser: Browser) -> None:
    good, browser.csrf = browser.csrf, ""
    assert (await browser.call("GET", "/auth/me")).status_code == 200
    change = {"json": {"name": "Ada"}}
    for wrong in ("", "x", good[:-1], good.upper() + "0"):
        browser.csrf = wrong
        answer = await browser.call("PATCH", "/auth/me", **change)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    browser.csrf = good
    assert (await browser.call("PATCH", "/auth/me", **change)).status_code == 200


async def test_the_token_of_another_session_is_refused(api: Api, user: User, browser: Browser) -> None:
    other = Browser(api)
    await other.log_in(user)
    browser.csrf, other.csrf = other.csrf, browser.csrf
    for one in (browser, other):
        assert (await one.call("POST", "/auth/logout")).status_code == 403


async def test_refreshing_by_cookie_renews_the_cookies(browser: Browser) -> None:
    before = dict(browser.jar)
    answer = await browser.call("POST", "/auth/refresh")
    assert answer.status_code == 200
    assert {name: flags for name, (_, flags) in cookies(answer).items()} == FLAGS
    assert before["refresh-token"] != browser.jar["refresh-token"] == answer.json()["data"]["refresh_token"]
    assert (await browser.call("GET", "/auth/me")).status_code == 200


async def test_refreshing_by_cookie_needs_the_token(browser: Browser) -> None:
    good = browser.csrf
    for wrong in ("", "x", "é", good + "x"):
        browser.csrf = wrong
        assert (await browser.call("POST", "/auth/refresh", json={})).status_code == 403
    browser.csrf = good
    assert (await browser.call("POST", "/auth/refresh", json={})).status_code == 200


async def test_after_a_while_the_refresh_cookie_alone_brings_everything_back(browser: Browser) -> None:
    csrf, browser.csrf = browser.csrf, ""
    del browser.jar["auth-token"]
    assert (await browser.call("GET", "/auth/csrf")).json()["data"]["csrf_token"] == csrf
    browser.csrf = csrf
    assert (await browser.call("POST", "/auth/refresh")).status_code == 200
    assert "auth-token" in browser.jar


async def test_without_a_session_there_is_no_token(api: Api, browser: Browser) -> None:
    assert (await api.client.get("/api/v1/auth/csrf")).status_code == 401
    await browser.call("POST", "/auth/logout")
    for jar in ({"auth-token": "x"}, {"refresh-token": "aurr_x"}, browser.jar):
        browser.jar = jar
        assert (await browser.call("GET", "/auth/csrf")).status_code == 401
        assert (await browser.call("POST", "/auth/refresh")).status_code == 401


async def test_logging_out_by_cookie_clears_them(browser: Browser) -> None:
    before = dict(browser.jar)
    answer = await browser.call("POST", "/auth/logout")
    assert answer.status_code == 204
    for name, (value, flags) in cookies(answer).items():
        assert value.strip('"') == ""
        assert "Max-Age=0" in flags
        assert f"Path={'/' if name == 'auth-token' else '/api/v1/auth'};" in flags
    browser.jar = before
    assert (await browser.call("GET", "/auth/me")).status_code == 401
    assert (await browser.call("POST", "/auth/refresh")).status_code == 401


async def test_refreshing_with_a_token_in_the_body_sets_cookies_only_when_asked(api: Api, user: User) -> None:
    body: dict[str, Any] = {"refresh_token": user.registered["refresh_token"]}
    for cookie in (False, True):
        answer = await api.client.post("/api/v1/auth/refresh", json={**body, "cookie": cookie})
        assert answer.status_code == 200
        assert ("set-cookie" in answer.headers) == cookie


async def test_a_login_by_form_of_another_site_is_not_read(api: Api, user: User) -> None:
    form = f'{{"email": "{user.email}", "password": "{PASSWORD}", "cookie": true, "x": "="}}'
    answer = await api.client.post("/api/v1/auth/login", content=form, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert "set-cookie" not in answer.headers


async def test_a_registration_that_is_sent_again_sets_its_cookies_again_and_sends_no_second_mail(
    mailed: Api, inbox: Inbox
) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = [
        await mailed.client.post("/api/v1/auth/register", json=new(cookie=True), headers=headers) for _ in range(2)
    ]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]
    assert cookies(answers[0]) == cookies(answers[1])
    await mailed.app.state.context.mailer.flush()
    assert len(inbox.to("new@example.com")) == 1
