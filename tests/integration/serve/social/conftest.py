"""Browsers, the application, and a fake of both login providers, over the real protocols."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI

from agentauri.serve.app import create_app
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, CONTRACT, PASSWORD, settings_for
from tests.support.fake_provider import SETTINGS, FakeProvider, running
from tests.support.openapi import CheckedTransport

HOME = "http://127.0.0.1:8000"
FRONT = "http://localhost:3000/signed-in"
BOTH = pytest.mark.parametrize("provider", ["google", "github"])


class Browser(httpx2.AsyncClient):
    """A browser: cookies, the application at its public address, the provider over the network."""

    async def visit(self, path: str, **query: str) -> httpx2.Response:
        """Go there and follow redirects, up to a page of the application or of a front end."""
        answer = await self.get(f"{HOME}/api/v1{path}", params=query)
        while answer.is_redirect and not answer.headers["location"].startswith(FRONT):
            answer = await self.get(answer.headers["location"])
        return answer

    async def begin(self, provider: str, **query: str) -> str:
        """Begin a login and sign in there: the address that the provider sends the browser back to."""
        sent = await self.get(f"{HOME}/api/v1/auth/{provider}", params=query)
        back = await self.get(sent.headers["location"])
        return str(back.headers["location"])

    async def exchange(self, code: str, **more: object) -> httpx2.Response:
        """Swap a code for tokens."""
        return await self.post(f"{HOME}/api/v1/auth/exchange", json={"code": code, **more})


@dataclass
class World:
    """The application with both providers set up at one fake."""

    app: FastAPI
    fake: FakeProvider
    stack: AsyncExitStack

    async def browser(self, **more: Any) -> Browser:
        """A browser of its own."""
        ours = CheckedTransport(httpx2.ASGITransport(self.app, raise_app_exceptions=False), CONTRACT)
        made = Browser(mounts={f"all://{urlsplit(HOME).netloc}": ours}, trust_env=False, verify=False, **more)
        return await self.stack.enter_async_context(made)

    async def register(self, pool: Pool, *, verified: bool, email: str = "ada@example.com") -> tuple[Browser, str]:
        """Somebody with a password, and a browser with the access token."""
        browser = await self.browser()
        body = {"email": email, "password": PASSWORD}
        data = (await browser.post(f"{HOME}/api/v1/auth/register", json=body)).json()["data"]
        if verified:
            await pool.execute("UPDATE users SET email_verified_at = now() WHERE email = $1", email)
        browser.headers["Authorization"] = f"Bearer {data['token']}"
        return browser, data["user"]["id"]


@pytest.fixture
async def world(database: str, redis_url: str) -> AsyncIterator[World]:
    callbacks = {f"{HOME}/api/v1/auth/{name}/callback" for name in ("google", "github")}
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(running(FakeProvider(callbacks=callbacks)))
        oauth = {name: {**SETTINGS, "base_url": fake.url} for name in ("google", "github")}
        app = create_app(settings_for(database, redis_url, oauth=oauth), cost=CHEAP)
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield World(app, fake, stack)


@pytest.fixture
async def browser(world: World) -> Browser:
    return await world.browser()


def queries(answer: httpx2.Response) -> dict[str, str]:
    """What the redirect to the front end carries."""
    return {name: value for name, (value,) in parse_qs(urlsplit(answer.headers["location"]).query).items()}
