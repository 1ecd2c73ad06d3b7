"""authlib's own client, over a real socket, gets, renews and uses tokens."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from tests.integration.serve.conftest import Api
from tests.integration.serve.oauth.conftest import SCOPES, TOKEN
from tests.support.waiting import eventually


@pytest.fixture
async def address(api: Api) -> AsyncIterator[str]:
    """The application behind a real socket."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api.app, lifespan="off", log_level="warning", ws="none"))
    serving = asyncio.create_task(server.serve([listening]))
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_authlib_gets_refreshes_and_uses_tokens(address: str, made: dict[str, Any], method: str) -> None:
    async with AsyncOAuth2Client(
        made["id"],
        made["secret"],
        token_endpoint_auth_method=method,
        token_endpoint=address + TOKEN,
        scope="events:read",
        trust_env=False,
    ) as client:
        token = await client.fetch_token(grant_type="client_credentials")
        assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 900, "events:read")
        assert (await client.get(f"{address}/api/v1/events")).status_code == 200
        assert (await client.get(f"{address}/api/v1/triggers")).status_code == 403
        first = token["refresh_token"]
        renewed = await client.refresh_token(refresh_token=first)
        assert renewed["refresh_token"] != first
        assert (await client.get(f"{address}/api/v1/events")).status_code == 200
        client.scope = "admin"
        with pytest.raises(OAuthError, match="invalid_scope"):
            await client.fetch_token(grant_type="client_credentials")
        client.client_secret = "wrong"
        with pytest.raises(OAuthError, match="invalid_client"):
            await client.fetch_token(grant_type="client_credentials")


async def test_authlib_finds_the_endpoint_by_its_metadata(address: str, api: Api, made: dict[str, Any]) -> None:
    metadata = (await api.client.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["issuer"] == "http://127.0.0.1:8000"
    assert metadata["token_endpoint"] == metadata["issuer"] + TOKEN
    assert metadata["response_types_supported"] == []
    assert metadata["grant_types_supported"] == ["client_credentials", "refresh_token"]
    assert set(SCOPES) < set(metadata["scopes_supported"])
    endpoint = metadata["token_endpoint"].replace(metadata["issuer"], address)
    async with AsyncOAuth2Client(made["id"], made["secret"], token_endpoint=endpoint, trust_env=False) as client:
        assert (await client.fetch_token())["scope"] == "events:read triggers:read"
