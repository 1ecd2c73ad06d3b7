"""A client of an organization, and how it asks for tokens and uses them."""

import base64
from typing import Any

import httpx2
import pytest

from tests.integration.serve.conftest import Api, User

TOKEN = "/api/v1/oauth/token"
SCOPES = ["events:read", "triggers:read"]
BODY = {"name": "Nightly report", "permissions": SCOPES}
FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def made(user: User) -> dict[str, Any]:
    """A client of the user's organization, with its secret."""
    answer = await user.call("POST", "/oauth/clients", json=BODY)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def basic(client: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client['id']}:{client['secret']}".encode()).decode()}


async def ask(api: Api, client: dict[str, Any], **form: str) -> httpx2.Response:
    return await api.client.post(TOKEN, data=GRANT | form, headers=basic(client))


async def call(api: Api, token: str, path: str, method: str = "GET", **more: Any) -> httpx2.Response:
    return await api.client.request(method, f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, **more)


async def refresh(api: Api, client: dict[str, Any], token: str, **more: str) -> httpx2.Response:
    return await ask(api, client, grant_type="refresh_token", refresh_token=token, **more)
