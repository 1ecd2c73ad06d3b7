"""Triggers that begin in the past, over HTTP: where they may begin, what is told of it, and what has to wait."""

from typing import Any

import pytest

from agentauri.store import trigger_starts
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.test_triggers import TRIGGER, create, versions
from tests.support.rows import feedback, insert_events
from tests.support.starts import Starts

CHAIN = 84532


async def some_events(pool: Pool, count: int = 10, chain: int = CHAIN) -> int:
    """Events of blocks 0, 1, …; returns the head of the log."""
    async with pool.acquire() as connection:
        rows = [feedback(number, agent_id=42, chain_id=chain, data={"score": "10"}) for number in range(count)]
        await insert_events(connection, rows)
    head: int = await pool.fetchval("SELECT max(seq) FROM events")
    return head


async def pointers(user: User, start: Any, **more: Any) -> list[str]:
    answer = await user.call("POST", "/triggers", json={**TRIGGER, **more, "start": start})
    assert answer.status_code == 400, answer.text
    return [one["pointer"] for one in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("start", "from_seq", "from_block"),
    [(3, 3, None), ({"seq": 3}, 3, None), ({"block": 4}, 5, 4), ({"seq": 11}, 11, None)],
)
async def test_trigger_begins_at_a_seq_or_a_block_and_tells_how_far_it_is(
    user: User, pool: Pool, start: Any, from_seq: int, from_block: int | None
) -> None:
    head = await some_events(pool)
    made = await create(user, start=start)
    assert made["start"] == {
        "from_seq": from_seq, "from_block": from_block, "position": from_seq - 1, "until": head, "status": "working",
        "joined_seq": None,
    }  # fmt: skip
    assert await versions(pool, made["id"]) == []
    assert (await user.call("GET", "/triggers")).json()["data"] == [made]
    await Starts(pool).work()
    found = (await user.call("GET", f"/triggers/{made['id']}")).json()["data"]
    seq = await pool.fetchval("SELECT from_seq FROM trigger_versions")
    assert found["start"] == made["start"] | {"status": "joined", "position": head, "until": seq, "joined_seq": seq}
    assert found["fired_count"] == head - from_seq + 1
    listed = (await user.call("GET", "/triggers")).json()["data"]
    assert listed == [found]


@pytest.mark.parametrize("start", ["now", None])
async def test_trigger_that_begins_now_has_no_past(user: User, pool: Pool, start: str | None) -> None:
    made = await create(user, start=start)
    assert made["start"] is None
    assert len(await versions(pool, made["id"])) == 1


@pytest.mark.parametrize(
    ("start", "pointer"),
    [
        ("then", "/start"),
        (True, "/start"),
        (0, "/start"),
        (1.5, "/start"),
        ([], "/start"),
        ({}, "/start"),
        ({"seq": 1, "block": 1}, "/start"),
        ({"seq": "1"}, "/start/seq"),
        ({"seq": 2**63}, "/start/seq"),
        ({"block": -1}, "/start/block"),
        ({"block": 11}, "/start/block"),
        (12, "/start"),
    ],
)
async def test_place_that_is_none_is_refused_where_it_stands(user: User, pool: Pool, start: Any, pointer: str) -> None:
    await some_events(pool)
    assert await pointers(user, start) == [pointer]
    assert await pool.fetchval("SELECT count(*) FROM triggers") == 0


async def test_block_without_a_chain_or_of_an_unknown_one_is_refused(user: User, pool: Pool) -> None:
    await some_events(pool, chain=5)
    assert await pointers(user, {"block": 1}, chain_id=None) == ["/start/block"]
    assert await pointers(user, {"block": 1}) == ["/start/block"]


async def test_trigger_that_is_off_does_not_begin_in_the_past(user: User, pool: Pool) -> None:
    await some_events(pool)
    assert await pointers(user, 1, enabled=False) == ["/start"]


async def test_place_before_what_retention_has_dropped_is_refused(user: User, pool: Pool) -> None:
    await some_events(pool)
    await pool.execute("UPDATE dropped_events SET upto = 4")
    await pool.execute("DELETE FROM events WHERE seq <= 4")
    assert await pointers(user, 4) == ["/start"]
    assert await pointers(user, {"block": 3}) == ["/start/block"]
    assert (await create(user, start={"block": 4}))["start"]["from_seq"] == 5
    assert (await create(user, start=5))["start"]["from_seq"] == 5


async def test_trigger_at_work_is_not_changed_in_any_way(user: User, pool: Pool) -> None:
    await some_events(pool)
    made = await create(user, start=1)
    path = f"/triggers/{made['id']}"
    condition, action = made["conditions"][0]["id"], made["actions"][0]["id"]
    asked = [
        ("PATCH", path, {"name": "other"}),
        ("POST", f"{path}/conditions", made["conditions"][0] | {"id": None}),
        ("PATCH", f"{path}/conditions/{condition}", {"value": 7}),
        ("DELETE", f"{path}/conditions/{condition}", None),
        ("POST", f"{path}/actions", {"action_type": "rest", "config": {"url": "https://example.com/other"}}),
        ("PATCH", f"{path}/actions/{action}", {"priority": 3}),
        ("DELETE", f"{path}/actions/{action}", None),
        ("POST", f"{path}/state/reset", None),
    ]
    for method, where, body in asked:
        answer = await user.call(method, where, **({} if body is None else {"json": body}))
        assert (answer.status_code, answer.json()["error"]) == (409, "conflict"), (method, where, answer.text)
        assert "start" in answer.json()["detail"]
    assert (await user.call("GET", path)).json()["data"] == made
    await Starts(pool).work()
    assert (await user.call("PATCH", path, json={"name": "other"})).status_code == 200


async def test_switching_off_ends_the_work_and_on_again_begins_now(user: User, pool: Pool) -> None:
    await some_events(pool)
    made = await create(user, start=1)
    path = f"/triggers/{made['id']}"
    off = (await user.call("POST", f"{path}/disable")).json()["data"]
    assert (off["enabled"], off["start"]["status"]) == (False, "ended")
    await Starts(pool).work()
    assert await pool.fetchval("SELECT count(*) FROM deliveries") == 0
    on = (await user.call("POST", f"{path}/enable")).json()["data"]
    assert (on["enabled"], on["start"]["status"]) == (True, "ended")
    assert [one is None for one in await versions(pool, made["id"])] == [True, False]


async def test_pasts_at_work_of_an_organization_are_bounded(
    user: User, api: Api, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_starts, "MOST_WORKING", 1)
    await some_events(pool)
    await create(user, start=1)
    refused = await user.call("POST", "/triggers", json={**TRIGGER, "start": 1})
    assert (refused.status_code, refused.json()["error"]) == (403, "limit_reached")
    await create(user)
    await create(await api.register(), start=1)
    await Starts(pool).work()
    await create(user, start=1)


async def test_deleting_ends_the_work(user: User, pool: Pool) -> None:
    await some_events(pool)
    made = await create(user, start=1)
    assert (await user.call("DELETE", f"/triggers/{made['id']}")).status_code == 204
    assert await pool.fetchval("SELECT count(*) FROM trigger_starts") == 0
    assert not await Starts(pool).turn()


async def test_answer_of_a_trigger_that_began_in_the_past_can_be_sent_back(user: User, pool: Pool) -> None:
    await some_events(pool)
    made = await create(user, start=1)
    await Starts(pool).work()
    answer = await user.call("PATCH", f"/triggers/{made['id']}", json=made)
    assert answer.status_code == 200, answer.text
