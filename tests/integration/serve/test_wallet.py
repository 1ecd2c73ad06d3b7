"""Signing in with a wallet's key, and everything that must not be one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from eth_account import Account

from agentauri.accounts.wallets import ORDER
from agentauri.serve.app import create_app
from agentauri.store.database import Pool
from tests.integration.serve.conftest import CHEAP, CONTRACT, Api, User, settings_for
from tests.support.openapi import CheckedTransport
from tests.support.wallets import OWNER, STRANGER, sign

PATH = "/api/v1/auth"
ADDRESS = OWNER.address


async def ask(api: Api, address: str = ADDRESS, chain_id: int = 1) -> str:
    """A text to sign."""
    answer = await api.client.post(f"{PATH}/nonce", json={"address": address, "chain_id": chain_id})
    assert answer.status_code == 200, answer.text
    message: str = answer.json()["data"]["message"]
    return message


async def send(api: Api, message: str, signature: bytes, **headers: str) -> httpx2.Response:
    body = {"message": message, "signature": "0x" + signature.hex()}
    return await api.client.post(f"{PATH}/wallet", json=body, headers=headers)


async def sign_in(api: Api, account: Any = OWNER, chain_id: int = 1) -> httpx2.Response:
    message = await ask(api, account.address, chain_id)
    return await send(api, message, sign(message, account))


async def test_what_is_given_to_sign_names_domain_address_chain_and_nonce(api: Api) -> None:
    answer = await api.client.post(f"{PATH}/nonce", json={"address": ADDRESS.lower(), "chain_id": 8453})
    assert answer.headers["cache-control"] == "no-store"
    data = answer.json()["data"]
    assert set(data) == {"nonce", "message", "expires_at"}
    lines = data["message"].split("\n")
    assert lines[0] == "127.0.0.1:8000 wants you to sign in with your Ethereum account:"
    assert lines[1] == ADDRESS
    assert lines[5:9] == ["URI: http://127.0.0.1:8000", "Version: 1", "Chain ID: 8453", f"Nonce: {data['nonce']}"]
    left = datetime.fromisoformat(data["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


async def test_the_first_sign_in_makes_the_account_and_the_next_ones_are_its(api: Api, pool: Pool) -> None:
    first = await sign_in(api)
    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    new = first.json()["data"]
    assert set(new) == {"token", "refresh_token", "expires_in", "user", "webhook_secret"}
    (organization,) = new["user"]["organizations"]
    assert (organization["personal"], organization["role"], organization["name"]) == (
        True,
        "owner",
        new["user"]["name"],
    )
    assert (new["user"]["email"], new["user"]["name"]) == (None, f"{ADDRESS[:6]}…{ADDRESS[-4:]}")

    second = await sign_in(api, chain_id=10)
    assert second.status_code == 200
    again = second.json()["data"]
    assert set(again) == {"token", "refresh_token", "expires_in", "user"}
    assert again["user"]["id"] == new["user"]["id"]
    assert (await User(api.client, "", again["token"], "", {}).call("GET", "/auth/me")).status_code == 200
    rows = await pool.fetch("SELECT provider, subject, user_id FROM identities")
    assert [(row[0], row[1], str(row[2])) for row in rows] == [("wallet", ADDRESS, new["user"]["id"])]
    assert [row[0] for row in await pool.fetch("SELECT method FROM sessions")] == ["wallet", "wallet"]
    actions = [row[0] for row in await pool.fetch("SELECT action FROM audit_log ORDER BY created_at")]
    assert actions == ["user.registered", "user.logged_in", "user.logged_in"]
    assert await pool.fetchval("SELECT last_login_at IS NOT NULL FROM users")


async def test_another_wallet_is_another_user(api: Api) -> None:
    one, other = await sign_in(api), await sign_in(api, STRANGER)
    assert (one.status_code, other.status_code) == (201, 201)
    assert one.json()["data"]["user"]["id"] != other.json()["data"]["user"]["id"]


async def test_a_nonce_works_once(api: Api) -> None:
    message = await ask(api)
    assert (await send(api, message, sign(message))).status_code == 201
    again = await send(api, message, sign(message))
    assert (again.status_code, again.json()["error"]) == (401, "unauthenticated")
    assert "signed in with already" in again.json()["detail"]


async def test_of_many_sign_ins_with_one_nonce_one_wins(api: Api, pool: Pool) -> None:
    message = await ask(api)
    answers = await asyncio.gather(*(send(api, message, sign(message)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 7
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_first_sign_ins_at_once_make_one_account(api: Api, pool: Pool) -> None:
    answers = await asyncio.gather(*(sign_in(api) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["data"]["user"]["id"] for answer in answers}) == 1
    assert await pool.fetchval("SELECT count(*) FROM users") == 1


async def test_the_same_request_under_one_idempotency_key_is_one_sign_in(api: Api, pool: Pool) -> None:
    message = await ask(api)
    answers = [await send(api, message, sign(message), **{"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[0].json() == answers[1].json()
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_nonce_that_ran_out_is_refused(api: Api, pool: Pool) -> None:
    message = await ask(api)
    await pool.execute("UPDATE login_nonces SET expires_at = now()")
    assert (await send(api, message, sign(message))).status_code == 401


CHANGES: list[Callable[[str], str]] = [
    lambda text: text.replace("127.0.0.1:8000 wants", "evil.example wants"),
    lambda text: text.replace("URI: http://127.0.0.1:8000", "URI: https://evil.example"),
    lambda text: text.replace("Chain ID: 1\n", "Chain ID: 10\n"),
    lambda text: text.replace(ADDRESS, STRANGER.address),
    lambda text: text.replace(ADDRESS, ADDRESS.lower()),
    lambda text: text.replace("Version: 1", "Version: 2"),
    lambda text: text.replace("costs nothing", "costs everything"),
    lambda text: text.replace("Expiration Time: 20", "Expiration Time: 21"),
    lambda text: text + "\nResources:\n- https://evil.example",
    lambda text: text + "\n",
    lambda text: " " + text,
    lambda text: text.replace("\n", "\r\n").replace("\r\nIssued", "\nIssued"),
    lambda text: text.replace("Nonce: ", "Nonce: " + "0" * 32 + "\nNonce: ", 1),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
async def test_a_changed_text_is_refused_whoever_signed_it(api: Api, number: int) -> None:
    message = CHANGES[number](await ask(api))
    for account in (OWNER, STRANGER):
        answer = await send(api, message, sign(message, account))
        assert answer.status_code in (400, 401)
        if answer.status_code == 400:
            assert answer.json()["errors"][0]["pointer"] == "/message"


async def test_a_text_of_our_making_that_was_never_given_out_is_refused(api: Api) -> None:
    given = await ask(api)
    message = given.replace(given.split("Nonce: ")[1][:32], "ab" * 16)
    answer = await send(api, message, sign(message))
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")


async def test_a_text_given_to_one_wallet_is_not_signed_by_another(api: Api, pool: Pool) -> None:
    message = await ask(api)
    answer = await send(api, message, sign(message, STRANGER))
    assert answer.status_code == 401
    assert "is not one by" in answer.json()["detail"]
    assert await pool.fetchval("SELECT count(*) FROM users") == 0
    assert (await send(api, message, sign(message))).status_code == 201  # the owner's nonce is still there


async def test_signatures_in_other_forms_are_refused_and_the_compact_form_is_not(api: Api) -> None:
    message = await ask(api)
    good = sign(message)
    r, s, v = good[:32], int.from_bytes(good[32:64]), good[64]
    malleable = r + (ORDER - s).to_bytes(32) + bytes([55 - v])
    for signature, detail in [
        (malleable, "malleable"),
        (good[:64] + b"\x25", "has the v 37"),
        (good + b"\0", "has 66 bytes"),
        (good[:63], "has 63 bytes"),
        (bytes(65), "must lie"),
    ]:
        answer = await send(api, message, signature)
        assert answer.status_code == 401
        assert detail in answer.json()["detail"]
    compact = r + (s | (v - 27) << 255).to_bytes(32)
    assert (await send(api, message, compact)).status_code == 201


async def test_a_contract_wallet_of_a_chain_that_is_not_known_here_is_told_so(api: Api) -> None:
    message = await ask(api, chain_id=424242)
    answer = await send(api, message, b"\x01" * 100)
    assert answer.status_code == 401
    assert "no RPC URL" in answer.json()["detail"]


async def test_a_disabled_user_is_refused(api: Api, pool: Pool) -> None:
    await sign_in(api)
    await pool.execute("UPDATE users SET disabled_at = now()")
    answer = await sign_in(api)
    assert (answer.status_code, answer.json()["detail"]) == (401, "this account is disabled.")
    assert await pool.fetchval("SELECT count(*) FROM sessions") == 1


async def test_a_deleted_user_comes_back_as_a_new_one(api: Api, pool: Pool) -> None:
    await sign_in(api)
    await pool.execute("DELETE FROM users")
    assert (await sign_in(api)).status_code == 201


BAD_NONCES: list[tuple[dict[str, Any], str]] = [
    ({"address": "0x1"}, "/address"),
    ({"address": ADDRESS.swapcase().replace("0X", "0x")}, "/address"),
    ({"address": "0x" + "0" * 40}, "/address"),
    ({"address": ADDRESS + "\0"}, "/address"),
    ({"address": None}, "/address"),
    ({"chain_id": 0}, "/chain_id"),
    ({"chain_id": -1}, "/chain_id"),
    ({"chain_id": 2**53}, "/chain_id"),
    ({"chain_id": 2**256}, "/chain_id"),
    ({"chain_id": "1"}, "/chain_id"),
    ({"chain_id": True}, "/chain_id"),
    ({"chain_id": 1.5}, "/chain_id"),
    ({"domain": "evil.example"}, "/domain"),
]


async def test_a_bad_request_for_a_text_names_the_field(api: Api) -> None:
    for change, pointer in BAD_NONCES:
        answer = await api.client.post(f"{PATH}/nonce", json={"address": ADDRESS, "chain_id": 1, **change})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), change


BAD_SIGN_INS: list[tuple[dict[str, Any], str]] = [
    ({"message": ""}, "/message"),
    ({"message": "Nonce: 12"}, "/message"),
    ({"message": "x" * 3000}, "/message"),
    ({"message": "\0"}, "/message"),
    ({"message": 1}, "/message"),
    ({"signature": ""}, "/signature"),
    ({"signature": "0x"}, "/signature"),
    ({"signature": "0x123"}, "/signature"),
    ({"signature": "0xzz"}, "/signature"),
    ({"signature": "ab" * 65}, "/signature"),
    ({"signature": "0x" + "ab" * 32_769}, "/signature"),
    ({"address": ADDRESS}, "/address"),
]


async def test_a_bad_sign_in_names_the_field(api: Api) -> None:
    message = await ask(api)
    good = {"message": message, "signature": "0x" + sign(message).hex()}
    for change, pointer in BAD_SIGN_INS:
        answer = await api.client.post(f"{PATH}/wallet", json={**good, **change})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer), change
        assert "pattern" not in answer.json()["detail"] or pointer != "/message"
    assert (await api.client.post(f"{PATH}/wallet", json=good)).status_code == 201


async def test_a_fresh_key_signs_in_without_ever_being_on_a_chain(api: Api) -> None:
    assert (await sign_in(api, Account.create(), chain_id=2**53 - 1)).status_code == 201


@pytest.fixture
async def strict(database: str, redis_url: str) -> AsyncIterator[Api]:
    """The application with small limits that are enforced."""
    limits = {"mode": "enforce", "nonce": 3, "login": 2}
    app = create_app(settings_for(database, redis_url, rate_limits=limits), cost=CHEAP)
    transport = CheckedTransport(httpx2.ASGITransport(app, raise_app_exceptions=False), CONTRACT)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield Api(app, client)


async def test_asking_for_texts_and_trying_signatures_is_limited(strict: Api) -> None:
    messages = [await ask(strict) for _ in range(3)]
    answer = await strict.client.post(f"{PATH}/nonce", json={"address": ADDRESS, "chain_id": 1})
    assert (answer.status_code, answer.json()["error"]) == (429, "rate_limited")
    tries = [await send(strict, messages[0], sign(messages[0], STRANGER)) for _ in range(3)]
    assert [answer.status_code for answer in tries] == [401, 401, 429]
