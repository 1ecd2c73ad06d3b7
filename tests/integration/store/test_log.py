"""The log as a reader sees it: one order, whole pages, bytes that come back as they were."""

import asyncio
from datetime import UTC, datetime

import pytest

from agentauri.models.page import parse_rows
from agentauri.store import log
from agentauri.store.database import Pool
from tests.support.rows import BLOCK_TIME, feedback, insert_events


async def test_row_comes_back_as_it_was_inserted(pool: Pool) -> None:
    tag = 'tab\t newline\n quote" backslash\\ \\t é 🦊'
    row = feedback(7, data={"tag1": tag}, event_type="Odd\\Name\tX", agent_id=None)
    async with pool.acquire() as connection:
        await insert_events(connection, [row])
        page = await log.read_page(connection, epoch=1, after=0, heads=await log.heads(connection), limit=10)
    (event,) = parse_rows(page.rows)
    assert event.data == row["data"]
    assert (event.id, event.event_type, event.agent_id) == (row["id"], "Odd\\Name\tX", None)
    assert (event.block_number, event.block_timestamp) == (7, BLOCK_TIME + 7)
    assert (event.block_hash, event.transaction_hash) == (row["block_hash"], row["transaction_hash"])


async def test_p01_seq_order_is_commit_order_under_concurrent_writers(pool: Pool) -> None:
    seen: list[int] = []
    writing = True

    async def write(number: int) -> None:
        async with pool.acquire() as connection:
            for one in range(20):
                async with connection.transaction():
                    await insert_events(connection, [feedback(1000 * number + one), feedback(1000 * number + one)])

    async def read() -> None:
        after = 0
        while writing or after < await _head(pool):
            async with pool.acquire() as connection:
                upto = await log.head(connection)
                rows = await log.read_rows(connection, after, upto, 7)
            seen.extend(event.seq for event in parse_rows(rows.text))
            after = rows.last_seq if rows.count == 7 else upto

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(number) for number in range(4)))
    writing = False
    await reader
    assert seen == sorted(seen)
    assert len(seen) == 160


async def _head(pool: Pool) -> int:
    async with pool.acquire() as connection:
        return await log.head(connection)


async def test_p01_an_insert_into_a_partition_is_numbered_too(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("SELECT events_ensure_month($1)", datetime(2031, 5, 1, tzinfo=UTC))
        sql = """INSERT INTO events_2031_05 (seq, chain_id, registry, event_type, block_number, block_hash,
                 block_timestamp, transaction_hash, log_index)
                 VALUES (-5, 1, 'identity', 'Registered', 1, '0x', '2031-05-02', '0x', 0) RETURNING seq"""
        assert await connection.fetchval(sql) > 0


async def test_p01_replica_role_does_not_bypass_the_numbering(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("SELECT events_ensure_month($1)", datetime(2032, 1, 1, tzinfo=UTC))
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
            early, late = await insert_events(connection, [feedback(1), feedback(2)])
        seqs = await connection.fetch("SELECT seq FROM events WHERE id = ANY($1::uuid[])", [early, late])
        assert all(row["seq"] > 0 for row in seqs)


async def test_page_ends_at_its_limit_and_the_next_one_goes_on(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(number) for number in range(5)])
        heads = await log.heads(connection)
        first = await log.read_page(connection, epoch=1, after=0, heads=heads, limit=3)
        second = await log.read_page(connection, epoch=1, after=first.last_seq, heads=heads, limit=3)
    assert (first.count, second.count, second.last_seq) == (3, 2, heads.seq)
    assert first.last_seq < heads.seq


async def test_too_large_page_is_refused_and_the_connection_goes_on(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_PAGE_BYTES", 100_000)
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(number, data={"tag2": "x" * 60_000}) for number in range(4)])
        upto = await log.head(connection)
        with pytest.raises(log.PageTooLarge):
            await log.read_rows(connection, 0, upto, 4)
        assert (await log.read_rows(connection, 0, upto, 1)).count == 1


async def test_p03_every_insert_rings_the_doorbell(pool: Pool) -> None:
    rung = asyncio.Event()
    async with pool.acquire() as listening, pool.acquire() as writing:
        await listening.add_listener("new_event", lambda *_: rung.set())
        await insert_events(writing, [feedback(1)])
        await asyncio.wait_for(rung.wait(), 5)
        await listening.remove_listener("new_event", lambda *_: None)
        await listening.reset()
