"""Lanes as leased rows: one owner at a time (protocol P23)."""

from uuid import uuid4

from agentauri.store import lanes
from agentauri.store.database import Pool
from tests.support.queue import make_queue

A, B = uuid4(), uuid4()


async def test_p23_new_owner_waits_for_release_or_end(pool: Pool) -> None:
    async with pool.acquire() as db:
        assert await lanes.take(db, A, "a", ["x", "y"], 60) == {"x", "y"}
        assert await lanes.take(db, B, "b", ["x", "y", "z"], 60) == {"z"}
        await lanes.release(db, A, ["x"])
        assert await lanes.take(db, B, "b", ["x", "y"], 60) == {"x"}
        await db.execute("UPDATE lanes SET lease_until = now() - interval '1 s' WHERE lane = 'y'")
        assert await lanes.take(db, B, "b", ["y"], 60) == {"y"}
        assert await lanes.beat(db, A, "a", 60) == frozenset()
        assert await lanes.beat(db, B, "b", 60) == {"x", "y", "z"}


async def test_lease_that_ended_without_an_heir_is_renewed(pool: Pool) -> None:
    async with pool.acquire() as db:
        await lanes.take(db, A, "a", ["x"], -1)
        assert await lanes.beat(db, A, "a", 60) == {"x"}
        assert await lanes.take(db, B, "b", ["x"], 60) == frozenset()


async def test_unowned_lanes_are_those_with_open_rows_and_no_live_lease(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue = await make_queue(db)
        for host in ("a", "b", "c"):
            await queue.add_deliveries(db, await queue.add_action(db, f"https://{host}.example/"), 3)
        await db.execute("UPDATE deliveries SET status = 'delivered' WHERE lane = 'host:c.example'")
        await lanes.take(db, A, "a", ["host:a.example"], 60)
        assert await lanes.list_unowned(db) == ["host:b.example"]
        await lanes.leave(db, A)
        assert sorted(await lanes.list_unowned(db)) == ["host:a.example", "host:b.example"]


async def test_counts_see_who_is_alive(pool: Pool) -> None:
    async with pool.acquire() as db:
        await lanes.beat(db, A, "a", 60)
        await lanes.beat(db, B, "b", -1)
        await lanes.take(db, A, "a", ["x"], 60)
        assert await lanes.count(db) == lanes.Counts(deliverers=1, lanes=1)
        await db.execute("UPDATE deliverers SET lease_until = now() - interval '2 h' WHERE token = $1", B)
        await lanes.prune(db)
        assert await db.fetchval("SELECT count(*) FROM deliverers") == 1
