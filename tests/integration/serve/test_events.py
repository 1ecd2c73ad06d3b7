"""Events over HTTP: filters, cursors, and values as JSON shows them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from agentauri.store import event_reads
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User

ADA = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BIG = 2**256 - 1
INSERT = """
    INSERT INTO events (chain_id, registry, event_type, agent_id, block_number, block_hash, block_timestamp,
        transaction_hash, log_index, data)
    VALUES ($1, $2, $3, $4, 1, '0xb', to_timestamp($5), $6, 0, $7) RETURNING id, seq"""


async def insert(pool: Pool, **more: Any) -> Any:
    row: dict[str, Any] = {
        "chain_id": 1, "registry": "reputation", "event_type": "NewFeedback", "agent_id": 7, "time": 1_700_000_000,
        "hash": "0x" + "a" * 64, "data": {}, **more,
    }  # fmt: skip
    return await pool.fetchrow(INSERT, *row.values())


async def page(user: User, query: str = "") -> dict[str, Any]:
    answer = await user.call("GET", f"/events{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


FILTERS = [
    "chain_id=5",
    "registry=identity",
    "event_type=Registered",
    "agent_id=0",
    f"agent_id={BIG}",
    f"address={ADA.lower()}",
    "tag=uptime",
    "from=2024-01-01T00:00:00Z",
    "to=2022-01-01T00:00:00%2B01:00",
    "transaction_hash=0x" + "C" * 64,
    "search=needle",
    "search=100%25",
]


async def insert_one_for_each_filter(pool: Pool) -> None:
    others: list[dict[str, Any]] = [
        {"chain_id": 5},
        {"registry": "identity"},
        {"event_type": "Registered"},
        {"agent_id": 0},
        {"agent_id": None, "data": {"agent_id": str(BIG)}},
        {"data": {"client_address": ADA}},
        {"data": {"tag2": "uptime"}},
        {"time": 1_710_000_000},
        {"time": 1_600_000_000},
        {"hash": "0x" + "c" * 64},
        {"data": {"endpoint": "https://NEEDLE.example"}},
        {"data": {"tag1": "100%"}},
        {"data": {"tag1": "1000"}},
    ]
    for more in others:
        await insert(pool, **more)


async def test_each_filter_finds_the_one_event_that_fits(user: User, pool: Pool) -> None:
    await insert_one_for_each_filter(pool)
    for query in FILTERS:
        body = await page(user, f"?{query}")
        assert len(body["data"]) == 1, query
        assert body["pagination"] == {"limit": 20, "next_cursor": None, "has_more": False}


async def test_cursors_walk_the_whole_log_once_from_new_to_old(user: User, pool: Pool) -> None:
    seqs = [(await insert(pool))["seq"] for _ in range(5)]
    seen, cursor = [], ""
    while True:
        body = await page(user, f"?limit=2{cursor}")
        seen += [event["seq"] for event in body["data"]]
        if not body["pagination"]["has_more"]:
            break
        cursor = f"&cursor={body['pagination']['next_cursor']}"
    assert seen == seqs[::-1]


async def test_a_rare_event_far_back_is_found_through_windows(
    user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reads, "WINDOW_ROWS", 3)
    rare = await insert(pool, event_type="Registered")
    for _ in range(10):
        await insert(pool)
    assert [event["seq"] for event in (await page(user, "?event_type=Registered"))["data"]] == [rare["seq"]]
    monkeypatch.setattr(event_reads, "SEARCH_SECONDS", 0.0)
    body = await page(user, "?event_type=Registered")
    assert (body["data"], body["pagination"]["has_more"]) == ([], True)


async def test_an_event_shows_its_values_as_json_can_hold_them(user: User, pool: Pool) -> None:
    data = {"score": "59.5", "value": "5950", "feedback_index": 3, "tag1": "\U0001f680", "big": 2**60}
    made = await insert(pool, agent_id=2**60, data=data)
    await pool.execute("UPDATE events SET retracted_at = $1", datetime(2026, 1, 1, tzinfo=UTC))
    event = (await user.call("GET", f"/events/{made['id']}")).json()["data"]
    assert event["data"] == {**data, "score": 59.5, "big": str(2**60)}
    assert event["agent_id"] == str(2**60)
    assert event["block_timestamp"] == "2023-11-14T22:13:20Z"
    assert event["retracted_at"] == "2026-01-01T00:00:00Z"
    assert (await page(user))["data"] == [event]


async def test_everybody_sees_the_same_events(api: Api, user: User, pool: Pool) -> None:
    await insert(pool)
    assert await page(user) == await page(await api.register())


async def test_an_unknown_event_is_not_found(user: User) -> None:
    assert (await user.call("GET", f"/events/{uuid4()}")).status_code == 404


IMPOSSIBLE = [
        "limit=0", "limit=101", "limit=x", "cursor=x", "cursor=-1", f"cursor={2**63}", "agent_id=-1", "agent_id=x",
        f"agent_id={BIG + 1}", "chain_id=0", f"chain_id={2**63}", "registry=x", "address=0x1", "transaction_hash=0x1",
        "from=now", "from=2024-01-01T00:00:00", "to=0001-01-01T00:00:00Z", "search=%00", "event_type=",
        "tag=" + "x" * 256,
    ]  # fmt: skip


async def test_a_cursor_of_another_list_is_refused_with_what_to_do(user: User) -> None:
    answer = await user.call("GET", "/events?cursor=AAZhNIeORpuMlhPglYZAdZnBLiXvse8s")
    assert answer.json()["detail"] == "/query/cursor was not given out here; start again without it."


async def test_a_filter_that_cannot_be_is_refused_by_name(user: User) -> None:
    for query in IMPOSSIBLE:
        answer = await user.call("GET", f"/events?{query}")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        if "%00" not in query:
            assert answer.json()["errors"][0]["pointer"] == f"/query/{query.partition('=')[0]}"
