"""Signing in as real wallets do: viem's keys and texts, and contract wallets on a real node."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from agentauri.demo.anvil import CHAIN_ID, Anvil
from agentauri.serve.app import create_app
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, CONTRACT, Api, settings_for
from tests.integration.serve.test_wallet import ask, send
from tests.support import viem
from tests.support.openapi import CheckedTransport
from tests.support.wallets import OWNER, STRANGER, Counterfactual, counterfactual, deploy_owned, sign
from tests.support.wallets import send as transact

OTHER_CHAIN = CHAIN_ID + 1
DEAD_CHAIN = CHAIN_ID + 2
IDENTITY = {"identity": "0x" + "8" * 40}


@pytest.fixture
async def chained(database: str, redis_url: str, anvil: Anvil) -> AsyncIterator[Api]:
    """The application with a real chain, and one whose only provider is away."""
    chains = [
        {"id": CHAIN_ID, "name": "local", "rpc_urls": ["ws://127.0.0.1:1", anvil.url], **IDENTITY},
        {"id": DEAD_CHAIN, "name": "away", "rpc_urls": ["http://127.0.0.1:1"], **IDENTITY},
    ]
    app = create_app(settings_for(database, redis_url, chains=chains), cost=CHEAP)
    transport = CheckedTransport(httpx2.ASGITransport(app, raise_app_exceptions=False), CONTRACT)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Api(app, client)


async def test_a_key_of_viem_signs_in(api: Api) -> None:
    account = viem.ask("account")
    message = await ask(api, account["address"], 8453)
    signature = viem.ask("sign", key=account["key"], message=message)
    assert (await send(api, message, bytes.fromhex(signature[2:]))).status_code == 201


async def test_viem_reads_our_text_as_a_valid_sign_in_and_would_write_the_same(api: Api) -> None:
    message = await ask(api, OWNER.address, 8453)
    nonce = message.split("Nonce: ")[1][:32]
    read = viem.ask("read", message=message, domain="127.0.0.1:8000", nonce=nonce, address=OWNER.address)
    assert read["valid"] is True
    assert read["written"] == message
    fields = read["fields"]
    assert (fields["address"], fields["chainId"], fields["nonce"]) == (OWNER.address, 8453, nonce)
    assert (fields["uri"], fields["version"]) == ("http://127.0.0.1:8000", "1")
    assert set(fields) == {
        "domain", "address", "statement", "uri", "version", "chainId", "nonce", "issuedAt", "expirationTime",
    }  # fmt: skip


async def test_viem_does_not_take_our_text_for_another_page(api: Api) -> None:
    message = await ask(api, OWNER.address)
    for other in ({"domain": "evil.example"}, {"nonce": "0" * 32}, {"address": STRANGER.address}):
        assert viem.ask("read", message=message, **other)["valid"] is False


async def test_a_deployed_contract_wallet_signs_in_by_its_owners_signature(
    chained: Api, anvil: Anvil, pool: Pool
) -> None:
    wallet = await deploy_owned(anvil)
    message = await ask(chained, wallet, CHAIN_ID)
    refused = await send(chained, message, sign(message, STRANGER))
    assert refused.status_code == 401
    assert "does not accept the signature" in refused.json()["detail"]
    assert (await send(chained, message, sign(message))).status_code == 201
    assert await pool.fetchval("SELECT subject FROM identities") == f"eip155:{CHAIN_ID}:{wallet}"


async def _wrapped_by_viem(wallet: Counterfactual, message: str) -> bytes:
    signature = viem.ask("sign", key="0x" + OWNER.key.hex(), message=message)
    deployment = "0x" + wallet.deployment.hex()
    wrapped: str = viem.ask("wrap", factory=wallet.factory, deployment=deployment, signature=signature)
    return bytes.fromhex(wrapped[2:])


async def test_a_wallet_signs_in_before_it_is_deployed_and_stays_itself_afterwards(
    chained: Api, anvil: Anvil, pool: Pool
) -> None:
    wallet = await counterfactual(anvil)
    message = await ask(chained, wallet.address, CHAIN_ID)
    signature = await _wrapped_by_viem(wallet, message)
    assert viem.ask(
        "verifyOnChain", url=anvil.url, address=wallet.address, message=message, signature="0x" + signature.hex()
    )
    first = await send(chained, message, signature)
    assert first.status_code == 201

    await transact(anvil, wallet.deployment, to=wallet.factory)
    message = await ask(chained, wallet.address, CHAIN_ID)
    second = await send(chained, message, sign(message))
    assert second.status_code == 200
    assert second.json()["data"]["user"]["id"] == first.json()["data"]["user"]["id"]
    assert await pool.fetchval("SELECT subject FROM identities") == f"eip155:{CHAIN_ID}:{wallet.address}"


async def test_a_wallet_whose_owner_is_another_is_refused_before_it_is_deployed(chained: Api, anvil: Anvil) -> None:
    wallet = await counterfactual(anvil, STRANGER.address)
    message = await ask(chained, wallet.address, CHAIN_ID)
    assert (await send(chained, message, wallet.wrap(sign(message)))).status_code == 401


async def test_a_contract_is_not_asked_on_a_chain_without_providers(chained: Api, anvil: Anvil) -> None:
    wallet = await deploy_owned(anvil)
    message = await ask(chained, wallet, OTHER_CHAIN)
    answer = await send(chained, message, sign(message))
    assert answer.status_code == 401
    assert "no RPC URL" in answer.json()["detail"]


async def test_a_key_signs_in_where_a_chain_is_known_and_costs_no_call(chained: Api) -> None:
    for chain_id, status in [(DEAD_CHAIN, 201), (CHAIN_ID, 200)]:
        message = await ask(chained, OWNER.address, chain_id)
        assert (await send(chained, message, sign(message))).status_code == status


async def test_with_the_chain_away_a_contract_wallet_is_told_to_come_back_and_keeps_its_nonce(
    chained: Api, pool: Pool
) -> None:
    message = await ask(chained, OWNER.address, DEAD_CHAIN)
    answer = await send(chained, message, sign(message, STRANGER))
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert "127.0.0.1" not in answer.text
    assert await pool.fetchval("SELECT count(*) FROM login_nonces") == 1
