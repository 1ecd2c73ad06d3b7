"""The stream of events: nothing skipped, nothing twice, whoever writes and however often the client comes back."""

import asyncio
import random
from typing import Any

import pytest

from agentauri.serve import streams
from agentauri.store import event_tail
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.test_events import FILTERS, insert, insert_one_for_each_filter
from tests.support.rows import feedback, insert_events
from tests.support.sse import stream
from tests.support.waiting import eventually

PATH = "/events/stream"


async def listening(api: Api, pool: Pool) -> int:
    """Wait until the replica hears new events; the pid of its connection."""
    sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'agentauri api events' AND state = 'idle'"
    return int(await eventually(lambda: pool.fetchval(sql)))


async def test_stream_begins_at_the_head_and_tells_events_as_the_list_shows_them(
    api: Api, user: User, pool: Pool
) -> None:
    await insert(pool)
    async with stream(api.app, PATH, user.token) as opened:
        assert opened.headers["content-type"].startswith("text/event-stream")
        assert opened.headers["cache-control"] == "no-store"
        made = await insert(pool, agent_id=2**60, data={"tag1": "a\nb\r\nevent: x"})
        told = await opened.next()
    assert (told.event, told.id) == ("event", str(made["seq"]))
    assert told.data == (await user.call("GET", f"/events/{made['id']}")).json()["data"]


async def test_new_event_is_told_by_the_doorbell_long_before_the_timer(
    api: Api, user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_SECONDS", 60.0)
    async with stream(api.app, PATH, user.token) as opened:
        await listening(api, pool)
        made = await insert(pool)
        assert (await opened.next()).id == str(made["seq"])


async def test_lost_doorbell_costs_a_moment_and_no_event(api: Api, user: User, pool: Pool) -> None:
    async with stream(api.app, PATH, user.token) as opened:
        pid = await listening(api, pool)
        await pool.execute("SELECT pg_terminate_backend($1)", pid)
        made = await insert(pool)
        assert (await opened.next()).id == str(made["seq"])
        assert await listening(api, pool) != pid


async def test_p03_doorbell_is_one_connection_without_a_transaction_and_goes_with_the_last_stream(
    api: Api, user: User, pool: Pool
) -> None:
    sql = "SELECT count(*), count(xact_start) FROM pg_stat_activity WHERE application_name = 'agentauri api events'"

    async def connections() -> tuple[int, int]:
        row = await pool.fetchrow(sql)
        assert row is not None
        return row[0], row[1]

    async def none_left() -> bool:
        return await connections() == (0, 0)

    async with stream(api.app, PATH, user.token), stream(api.app, PATH, user.token):
        await listening(api, pool)
        assert await connections() == (1, 0)
    await eventually(none_left)


async def write_for_a_while(pool: Pool, chance: random.Random, transactions: int) -> None:
    async with pool.acquire() as connection:
        for number in range(transactions):
            async with connection.transaction():
                for _ in range(chance.randrange(1, 4)):
                    await insert_events(connection, [feedback(number) for _ in range(chance.randrange(1, 8))])
            await asyncio.sleep(chance.random() / 200)


async def test_clients_that_come_and_go_miss_nothing_of_concurrent_writers(api: Api, user: User, pool: Pool) -> None:
    chance = random.Random(8004)
    writing = [asyncio.create_task(write_for_a_while(pool, chance, 25)) for _ in range(4)]
    seqs: list[int] = []
    last_id = "0"
    while True:
        async with stream(api.app, PATH, user.token, last_id=last_id, room=5) as opened:
            for _ in range(chance.randrange(1, 120)):
                if all(task.done() for task in writing) and len(seqs) == await pool.fetchval(
                    "SELECT count(*) FROM events"
                ):
                    break
                seqs.append(int((await opened.next()).id))
            else:
                last_id = opened.last_id
                continue
            break
    await asyncio.gather(*writing)
    stored = [row[0] for row in await pool.fetch("SELECT seq FROM events ORDER BY seq")]
    assert len(stored) > 200
    assert seqs == stored


async def test_filters_are_those_of_the_list(api: Api, user: User, pool: Pool) -> None:
    await insert_one_for_each_filter(pool)
    for query in FILTERS:
        (listed,) = (await user.call("GET", f"/events?{query}")).json()["data"]
        async with stream(api.app, f"{PATH}?{query}", user.token, last_id="0") as opened:
            assert (await opened.next()).data == listed, query
            assert opened.is_quiet()


async def test_filter_that_fits_rarely_moves_on_and_tells_its_place(
    api: Api, user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tail, "WINDOW_SEQS", 3)
    monkeypatch.setattr(streams, "BEAT_SECONDS", 0.0)
    for _ in range(10):
        await insert(pool)
    rare = await insert(pool, event_type="Registered")
    head = (await insert(pool))["seq"]
    async with stream(api.app, f"{PATH}?event_type=Registered", user.token, last_id="0") as opened:
        assert (await opened.next()).id == str(rare["seq"])
        while opened.last_id != str(head):
            opened.last_id = ""
            await opened.begun()


async def retract(pool: Pool, chain_id: int) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            """INSERT INTO retractions (chain_id, fork_block, first_retracted_seq, retracted_count)
               VALUES ($1, 0, 1, 1) RETURNING seq""",
            chain_id,
        )
        assert row is not None
        await connection.execute("UPDATE events SET retracted_at = now(), retracted_seq = $1", row["seq"])
        return row


async def test_reorganisation_is_told_in_its_place(api: Api, user: User, pool: Pool) -> None:
    before = await insert(pool)
    row = await retract(pool, 1)
    after = await insert(pool)
    async with stream(api.app, PATH, user.token, last_id="0") as opened:
        first, told, last = await opened.take(3)
    assert [first.id, told.id, last.id] == [str(before["seq"]), str(row["seq"]), str(after["seq"])]
    assert first.data["retracted_at"] is not None
    assert told.event == "retraction"
    created_at = told.data.pop("created_at")
    assert created_at.endswith("Z")
    assert told.data == {
        "seq": row["seq"], "chain_id": 1, "fork_block": 0, "first_retracted_seq": 1, "retracted_count": 1,
    }  # fmt: skip


async def test_reorganisation_of_another_chain_is_not_told(api: Api, user: User, pool: Pool) -> None:
    await retract(pool, 2)
    await insert(pool, chain_id=1)
    async with stream(api.app, f"{PATH}?chain_id=1", user.token, last_id="0") as opened:
        assert (await opened.next()).event == "event"


@pytest.mark.parametrize("last_id", ["1000000", "x", "-1", ""])
async def test_place_that_the_log_does_not_have_is_refused(api: Api, user: User, last_id: str) -> None:
    async with stream(api.app, PATH, user.token, last_id=last_id) as opened:
        assert opened.status == 400
        [finding] = (await opened.body())["errors"]
        assert finding["pointer"] == "/header/Last-Event-ID"
        assert "leave" in finding["detail"]


async def test_credentials_and_scope_are_asked_for(api: Api, user: User) -> None:
    made = await user.call("POST", "/api-keys", json={"name": "k", "permissions": ["triggers:read"]})
    for token, status in [("x", 401), (made.json()["data"]["key"], 403)]:
        async with stream(api.app, PATH, token) as opened:
            assert opened.status == status
