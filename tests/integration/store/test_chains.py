"""The checkpoint of a chain, its one writer, and what is remembered of its blocks."""

import asyncio
from typing import Any

import pytest

from agentauri.errors import Fenced, RangeNotWhole
from agentauri.models.log import BlockRef
from agentauri.store import chains, events
from agentauri.store.database import Connection, Pool
from tests.support.logs import a_log, block

CHAIN = 31337


async def claimed(connection: Connection, start_block: int = 1) -> tuple[chains.Claim, BlockRef]:
    claim = await chains.claim(connection, CHAIN, "local", start_block)
    return claim, await chains.get_checkpoint(connection, claim)


async def advance(connection: Connection, claim: chains.Claim, at: BlockRef, to: BlockRef, **changes: Any) -> None:
    async with connection.transaction():
        await chains.hold(connection, claim, at)
        await chains.remember(connection, claim, [to])
        values: dict[str, Any] = {"last_seq": 0, "final_block": 0, "last_event_time": None} | changes
        await chains.advance(connection, claim, to, **values)


async def test_a_new_chain_begins_before_its_start_block(pool: Pool) -> None:
    async with pool.acquire() as connection:
        _, checkpoint = await claimed(connection, start_block=100)
        assert checkpoint == BlockRef(99, "", 0)

        _, again = await claimed(connection, start_block=500)
        assert again == checkpoint


async def test_p08_an_older_claim_is_fenced(pool: Pool) -> None:
    async with pool.acquire() as connection:
        old, checkpoint = await claimed(connection)
        new, _ = await claimed(connection)

        with pytest.raises(Fenced, match="another writer"):
            await advance(connection, old, checkpoint, block(1))
        with pytest.raises(Fenced):
            await chains.get_checkpoint(connection, old)
        with pytest.raises(Fenced):
            await chains.report(connection, old, head=None, provider="")
        await advance(connection, new, checkpoint, block(1))


async def test_p08_of_two_writers_at_one_checkpoint_one_is_fenced(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        claim, checkpoint = await claimed(one)
        results = await asyncio.gather(
            advance(one, claim, checkpoint, block(1)),
            advance(other, claim, checkpoint, block(1, "b")),
            return_exceptions=True,
        )

    assert [type(result) for result in results if result] == [Fenced]
    assert await pool.fetchval("SELECT count(*) FROM chain_blocks") == 1


async def test_p09_a_block_with_another_hash_than_before_is_refused(pool: Pool) -> None:
    async with pool.acquire() as connection:
        claim, _ = await claimed(connection)
        await chains.remember(connection, claim, [block(1), block(2)])
        await chains.remember(connection, claim, [block(2), block(3)])

        with pytest.raises(RangeNotWhole, match="block 3"):
            await chains.remember(connection, claim, [block(3, "b"), block(4, "b")])


async def test_p12_the_clock_moves_with_the_checkpoint(pool: Pool) -> None:
    async with pool.acquire() as connection:
        claim, checkpoint = await claimed(connection)
        await advance(connection, claim, checkpoint, block(5), last_seq=42, final_block=3, last_event_time=123)
        await advance(connection, claim, block(5), block(6), final_block=9)

    row = await pool.fetchrow(
        "SELECT block_number, extract(epoch FROM confirmed_time)::bigint, confirmed_seq, final_block,"
        " extract(epoch FROM last_event_at)::bigint FROM chains"
    )
    assert row is not None
    assert tuple(row) == (6, block(6).time, 42, 6, 123)


async def test_p06_rewinding_moves_checkpoint_clock_and_remembered_blocks(pool: Pool) -> None:
    async with pool.acquire() as connection:
        claim, checkpoint = await claimed(connection)
        await advance(connection, claim, checkpoint, block(3), last_seq=10, final_block=3)
        await advance(connection, claim, block(3), block(8), last_seq=20, final_block=7)
        async with connection.transaction():
            await chains.hold(connection, claim, block(8))
            await chains.rewind(connection, claim, block(3), retraction_seq=21)

        assert await chains.get_checkpoint(connection, claim) == block(3)
        assert await chains.find_newest_block(connection, CHAIN) == block(3)
    row = await pool.fetchrow("SELECT confirmed_seq, final_block, reorgs FROM chains")
    assert row is not None
    assert tuple(row) == (21, 3, 1)


async def test_remembered_blocks_come_newest_first_and_below_them_those_of_events(pool: Pool) -> None:
    async with pool.acquire() as connection:
        claim, _ = await claimed(connection)
        await events.append(connection, CHAIN, [a_log(block(number)) for number in (2, 4, 6)])
        await chains.remember(connection, claim, [block(number) for number in (5, 6, 7)])
        pages = [page async for page in chains.list_blocks(connection, CHAIN, 7, 2)]

    assert pages == [[block(7), block(6)], [block(5)], [block(4), block(2)]]


async def test_blocks_far_below_the_checkpoint_are_forgotten(pool: Pool) -> None:
    far = chains.KEPT_BLOCKS + 2
    async with pool.acquire() as connection:
        claim, _ = await claimed(connection)
        await chains.remember(connection, claim, [block(1), block(2), block(far)])
        await chains.prune(connection, claim, block(far))

        assert await chains.find_newest_block(connection, CHAIN, at_most=10) == block(2)
        assert await chains.find_newest_block(connection, CHAIN, at_most=1) is None


async def test_a_report_says_head_provider_and_errors(pool: Pool) -> None:
    async with pool.acquire() as connection:
        claim, _ = await claimed(connection)
        await chains.report(connection, claim, head=block(9), provider="one", new_errors=2, last_error="x" * 2_000)
        await chains.report(connection, claim, head=None, provider="two")
        silent = await chains.silent_seconds(connection, CHAIN)

    row = await pool.fetchrow("SELECT head_block, provider, errors, length(last_error) FROM chains")
    assert row is not None
    assert tuple(row) == (9, "two", 2, chains.MAX_ERROR_CHARACTERS)
    assert 0 <= silent < 5


async def test_p02_a_chain_near_its_head_counts_as_live(pool: Pool) -> None:
    async with pool.acquire() as connection:
        claim, checkpoint = await claimed(connection)
        assert not await chains.others_live(connection, 1)
        await advance(connection, claim, checkpoint, block(5))
        await chains.report(connection, claim, head=block(6), provider="one")

        assert await chains.others_live(connection, 1)
        assert not await chains.others_live(connection, CHAIN)
        await chains.report(connection, claim, head=block(5_000), provider="one")
        assert not await chains.others_live(connection, 1)
