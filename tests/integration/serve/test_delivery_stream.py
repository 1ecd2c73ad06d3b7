"""The stream of deliveries: the latest state of each arrives, in whatever order transactions commit."""

import asyncio
import random
from uuid import UUID

import pytest

from agentauri.serve.deliveries import stream as delivery_stream
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.test_deliveries import insert
from tests.support.sse import Stream, stream

PATH = "/deliveries/stream"
SET = """
    UPDATE deliveries SET status = $2, attempt_count = attempt_count + ($2 = 'delivering')::int, updated_at = now()
    WHERE id = $1"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_stream, "LOOK_SECONDS", 0.02)


async def test_each_change_is_told_as_the_list_shows_it(api: Api, user: User, pool: Pool) -> None:
    await insert(pool, user)
    async with stream(api.app, PATH, user.token) as opened:
        id_ = await insert(pool, user)
        told = [await opened.next()]
        for status in ("delivering", "retrying", "delivering", "delivered"):
            await pool.execute(SET, id_, status)
            told.append(await opened.next())
        listed = (await user.call("GET", "/deliveries")).json()["data"]
    assert {(one.event, one.data["id"]) for one in told} == {("delivery", id_)}
    assert [one.data["status"] for one in told] == ["pending", "delivering", "retrying", "delivering", "delivered"]
    assert [one.data["attempt_count"] for one in told] == [0, 1, 1, 2, 2]
    assert told[-1].data in listed


async def test_move_without_a_change_of_state_is_not_told(api: Api, user: User, pool: Pool) -> None:
    moved, changed = await insert(pool, user), await insert(pool, user)
    async with stream(api.app, PATH, user.token) as opened:
        await pool.execute("UPDATE deliveries SET lane = 'other', updated_at = now() WHERE id = $1", moved)
        await pool.execute(SET, changed, "delivering")
        assert (await opened.next()).data["id"] == changed


async def test_change_that_commits_late_is_told_though_later_ones_were(api: Api, user: User, pool: Pool) -> None:
    late, early = await insert(pool, user), await insert(pool, user)
    async with stream(api.app, PATH, user.token) as opened:
        async with pool.acquire() as slow, slow.transaction():
            await slow.execute(SET, late, "held")
            await pool.execute(SET, early, "delivering")
            assert (await opened.next()).data["id"] == early
            place = opened.last_id
        assert (await opened.next()).data["id"] == late
    async with stream(api.app, PATH, user.token, last_id=place) as opened:
        again = {(await opened.next()).data["id"], (await opened.next()).data["id"]}
    assert again == {late, early}


async def test_client_that_comes_back_in_the_middle_of_many_changes_misses_none(
    api: Api, user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_stream, "PAGE", 7)
    async with stream(api.app, PATH, user.token) as opened:
        place = opened.last_id
    ids = [await insert(pool, user) for _ in range(30)]
    await pool.execute("UPDATE deliveries SET status = 'dead' WHERE id = ANY($1::uuid[])", ids[10:])
    seen: list[str] = []
    while len(seen) < len(ids):
        async with stream(api.app, PATH, user.token, last_id=place) as opened:
            seen += [one.data["id"] for one in await opened.take(3)]
            place = opened.last_id
    assert sorted(seen) == sorted(ids)
    async with stream(api.app, PATH, user.token, last_id=place) as opened:
        await pool.execute(SET, ids[0], "delivering")
        assert (await opened.next()).data["id"] == ids[0]


async def test_anothers_deliveries_are_not_told(api: Api, user: User, pool: Pool) -> None:
    other = await api.register()
    async with stream(api.app, PATH, user.token, last_id="1") as opened:
        await insert(pool, other)
        mine = await insert(pool, user)
        assert (await opened.next()).data["id"] == mine


NEVER = ["9223372036854775807", "99999999999999999999", "x", "1-2", "00000000-0000-4000-8000-000000000001", "-", ""]


@pytest.mark.parametrize("last_id", NEVER)
async def test_place_that_was_never_given_out_is_refused(api: Api, user: User, last_id: str) -> None:
    async with stream(api.app, PATH, user.token, last_id=last_id) as opened:
        assert opened.status == 400
        [finding] = (await opened.body())["errors"]
        assert finding["pointer"] == "/header/Last-Event-ID"
        assert "leave" in finding["detail"]


async def change_for_a_while(pool: Pool, ids: list[str], chance: random.Random) -> None:
    async with pool.acquire() as connection:
        for _ in range(60):
            async with connection.transaction():
                for id_ in sorted(chance.sample(ids, 3)):
                    await connection.execute(SET, id_, chance.choice(["delivering", "retrying", "held", "dead"]))
                await asyncio.sleep(chance.random() / 100)


async def test_latest_state_of_every_delivery_arrives_however_writers_overlap_and_clients_break(
    api: Api, user: User, pool: Pool
) -> None:
    chance = random.Random(8004)
    ids = [await insert(pool, user) for _ in range(40)]
    latest: dict[str, tuple[str, int]] = {}
    sql = "SELECT id, status, attempt_count FROM deliveries"
    last_id = "1"
    writing = [asyncio.create_task(change_for_a_while(pool, ids, chance)) for _ in range(4)]
    while True:
        async with stream(api.app, PATH, user.token, last_id=last_id, room=3) as opened:
            for _ in range(chance.randrange(5, 60)):
                if all(task.done() for task in writing) and latest == await stored(pool, sql):
                    return
                await note(opened, latest)
            last_id = opened.last_id


async def stored(pool: Pool, sql: str) -> dict[str, tuple[str, int]]:
    return {str(UUID(str(row[0]))): (row[1], row[2]) for row in await pool.fetch(sql)}


async def note(opened: Stream, latest: dict[str, tuple[str, int]]) -> None:
    told = (await opened.next()).data
    latest[told["id"]] = (told["status"], told["attempt_count"])
