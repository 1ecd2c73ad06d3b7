"""Deliveries over HTTP: filters, cursors, attempts, and the walls between tenants."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User

INSERT = """
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane,
        status, context, created_at)
    VALUES (gen_random_uuid(), $1, $2, $3, gen_random_uuid(), 9, 'rest', 'd', 'l', $4, '{"computed": []}',
        now() - $5 * interval '1 hour')
    RETURNING id"""
ATTEMPT = """
    INSERT INTO delivery_attempts (delivery_id, organization_id, number, lease_token, duration_ms, outcome, http_status,
        response_excerpt, request)
    SELECT id, organization_id, 1, gen_random_uuid(), 12, 'http', 503, 'busy', '{"method": "POST"}' FROM deliveries"""


async def insert(pool: Pool, user: User, *, status: str = "pending", hours: int = 0, **more: UUID) -> str:
    trigger, action = more.get("trigger", uuid4()), more.get("action", uuid4())
    return str(await pool.fetchval(INSERT, user.organization_id, trigger, action, status, hours))


async def page(user: User, query: str = "") -> dict[str, Any]:
    answer = await user.call("GET", f"/deliveries{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_delivery_comes_with_every_attempt(user: User, pool: Pool) -> None:
    id_ = await insert(pool, user, status="retrying")
    await pool.execute(ATTEMPT)
    found = (await user.call("GET", f"/deliveries/{id_}")).json()["data"]
    assert (found["id"], found["status"], found["context"]) == (id_, "retrying", {"computed": []})
    (attempt,) = found["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["http_status"]) == (1, "http", 503)
    assert (attempt["response_excerpt"], attempt["request"]) == ("busy", {"method": "POST"})
    listed = (await page(user))["data"]
    assert listed == [{key: value for key, value in found.items() if key not in ("context", "attempts")}]


async def test_lists_are_filtered(user: User, pool: Pool) -> None:
    trigger, action = uuid4(), uuid4()
    by_trigger = await insert(pool, user, trigger=trigger)
    by_action = await insert(pool, user, action=action, hours=1)
    dead = await insert(pool, user, status="dead", hours=48)
    for query, wanted in [
        (f"?trigger_id={trigger}", [by_trigger]),
        (f"?action_id={action}", [by_action]),
        ("?status=dead", [dead]),
        ("?status=dead&status=pending", [by_trigger, by_action, dead]),
        ("?status=delivered", []),
        ("?channel=rest&limit=1", [by_trigger]),
        ("?channel=telegram", []),
    ]:
        assert [one["id"] for one in (await page(user, query))["data"]] == wanted


async def test_cursors_walk_all_once(user: User, pool: Pool) -> None:
    made = [await insert(pool, user, hours=hours) for hours in range(5)]
    seen, cursor = [], ""
    while True:
        body = await page(user, f"?limit=2{cursor}")
        seen += [one["id"] for one in body["data"]]
        if not body["pagination"]["has_more"]:
            break
        cursor = f"&cursor={body['pagination']['next_cursor']}"
    assert seen == made


@pytest.mark.parametrize("query", ["status=lost", "cursor=***", "channel=fax", "trigger_id=1", "from=x"])
async def test_a_filter_that_cannot_be_is_refused(user: User, query: str) -> None:
    answer = await user.call("GET", f"/deliveries?{query}")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_anothers_delivery_is_not_found(api: Api, user: User, pool: Pool) -> None:
    id_ = await insert(pool, await api.register())
    assert (await user.call("GET", f"/deliveries/{id_}")).status_code == 404
    assert (await page(user))["data"] == []
