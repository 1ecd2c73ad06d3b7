"""Idempotency keys: the same request again gets the first answer, and its effect is there once."""

import asyncio
from typing import Any

import httpx2

from agentauri.store.database import Pool
from tests.integration.serve.conftest import PASSWORD, Api, User

TRIGGER = {"name": "t", "match_all": True, "actions": []}


async def create(user: User, key: str, body: dict[str, Any] | None = None, **headers: str) -> httpx2.Response:
    return await user.call("POST", "/triggers", json=body or TRIGGER, headers={"Idempotency-Key": key, **headers})


async def test_same_request_again_gets_the_stored_answer(user: User, pool: Pool) -> None:
    first, second = await create(user, "one"), await create(user, "one")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await pool.fetchval("SELECT count(*) FROM triggers") == 1


async def test_other_body_under_the_same_key_is_refused(user: User) -> None:
    await create(user, "one")
    answer = await create(user, "one", {**TRIGGER, "name": "other"})
    assert (answer.status_code, answer.json()["error"]) == (422, "idempotency_mismatch")


async def test_many_at_once_make_one(user: User, pool: Pool) -> None:
    answers = await asyncio.gather(*(create(user, "race") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert await pool.fetchval("SELECT count(*) FROM triggers") == 1
    assert (await create(user, "race")).headers["idempotent-replayed"] == "true"


async def test_request_that_failed_leaves_its_key_free(user: User) -> None:
    assert (
        await create(user, "one", {"name": "no actions", "conditions": [{"condition_type": "x"}]})
    ).status_code == 400
    assert (await create(user, "one")).status_code == 201


async def test_keys_of_two_callers_do_not_meet(api: Api, user: User, pool: Pool) -> None:
    other = await api.register()
    first, second = await create(user, "one"), await create(other, "one")
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


async def test_answer_with_a_secret_is_sealed_and_replayed_whole(user: User, pool: Pool) -> None:
    key = {"Idempotency-Key": "s"}
    first = await user.call("POST", "/webhook-secrets", headers=key)
    second = await user.call("POST", "/webhook-secrets", headers=key)
    secret = first.json()["data"]["secret"]
    assert second.json()["data"]["secret"] == secret
    assert secret.encode() not in await pool.fetchval("SELECT sealed FROM idempotency_keys")


async def test_registration_can_be_repeated(api: Api, pool: Pool) -> None:
    body = {"email": "once@example.com", "password": PASSWORD}
    first, second = [
        await api.client.post("/api/v1/auth/register", json=body, headers={"Idempotency-Key": "r"}) for _ in range(2)
    ]
    assert (first.status_code, second.json()) == (201, first.json())
    assert await pool.fetchval("SELECT count(*) FROM users") == 1


async def test_answer_of_a_day_ago_is_forgotten(user: User, pool: Pool) -> None:
    await create(user, "one")
    await pool.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    assert "idempotent-replayed" not in (await create(user, "one")).headers
    assert await pool.fetchval("SELECT count(*) FROM triggers") == 2


async def test_unusable_key_is_named(user: User) -> None:
    for key in ("x" * 256, "a b"):
        answer = await create(user, key)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/header/Idempotency-Key")
