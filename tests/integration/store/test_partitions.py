"""Ownership and progress of partitions, and the snapshots that replays begin with."""

import pytest

from agentauri.errors import Fenced, StoreError
from agentauri.models.page import Retraction
from agentauri.store import partitions, snapshots
from agentauri.store.database import Connection, Pool
from agentauri.store.partitions import Owned


async def test_p13_taking_a_partition_fences_its_old_owner(pool: Pool) -> None:
    async with pool.acquire() as connection:
        old = await partitions.take(connection, [4, 5], "old")
        (new,) = await partitions.take(connection, [5], "new")
        assert new.token == old[1].token + 1
        with pytest.raises(Fenced):
            async with connection.transaction():
                await partitions.advance(connection, old, 10)
        assert (await partitions.progress(connection))[4] == 0


async def test_p14_progress_moves_only_from_where_it_was(pool: Pool) -> None:
    async with pool.acquire() as connection:
        (owned,) = await partitions.take(connection, [4], "me")
        await partitions.advance(connection, [owned], 10)
        assert await partitions.reached(connection, [owned], 10)
        with pytest.raises(Fenced):
            await partitions.advance(connection, [owned], 20)


async def test_p17_snapshot_is_refused_unless_owned_at_its_place(pool: Pool) -> None:
    async with pool.acquire() as connection:
        (owned,) = await partitions.take(connection, [4], "me")
        assert await snapshots.add(connection, owned, {"k": 0.1})
        assert not await snapshots.add(connection, Owned(4, owned.token, 99), {})
        assert not await snapshots.add(connection, Owned(4, owned.token - 1, 0), {})
        assert await snapshots.load(connection, 4, 0) == {"k": 0.1}


async def test_p18_snapshot_with_retracted_events_in_it_is_not_a_base(pool: Pool) -> None:
    async with pool.acquire() as connection:
        (owned,) = await partitions.take(connection, [4], "me")
        await _stateful_trigger(connection, 4)
        for seq in (100, 200, 300):
            await partitions.advance(connection, [owned], seq)
            owned.last_seq = owned.stored_seq = seq
            await snapshots.add(connection, owned, {"at": seq})
        taken_back = [Retraction(seq=250, chain_id=1, fork_block=1, first_seq=150)]
        assert await snapshots.bases(connection, [4], 240, taken_back) == {4: 200}
        assert await snapshots.bases(connection, [4], 260, taken_back) == {4: 100}
        assert await snapshots.bases(connection, [4], 310, taken_back) == {4: 300}


async def test_p15_partition_without_stateful_triggers_needs_no_replay(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await snapshots.bases(connection, [4], 1_000_000, []) == {4: 1_000_000}
        seq = await _stateful_trigger(connection, 4)
        assert await snapshots.bases(connection, [4], 1_000_000, []) == {4: seq - 1}


async def test_p17_pruning_keeps_one_snapshot_below_what_is_final(pool: Pool) -> None:
    async with pool.acquire() as connection:
        (owned,) = await partitions.take(connection, [4], "me")
        for seq in (100, 200, 300):
            await partitions.advance(connection, [owned], seq)
            owned.last_seq = owned.stored_seq = seq
            await snapshots.add(connection, owned, {})
        assert await snapshots.prune(connection, 250) == 1
        kept = await connection.fetch("SELECT last_seq FROM trigger_state ORDER BY last_seq")
        assert [row[0] for row in kept] == [200, 300]


async def test_p17_pruning_does_not_count_on_a_snapshot_that_was_retracted_in_part(pool: Pool) -> None:
    async with pool.acquire() as connection:
        (owned,) = await partitions.take(connection, [4], "me")
        for seq in (100, 200):
            await partitions.advance(connection, [owned], seq)
            owned.last_seq = owned.stored_seq = seq
            await snapshots.add(connection, owned, {})
        await connection.execute("SELECT setval('log_seq', 249)")
        sql = """INSERT INTO retractions (chain_id, fork_block, first_retracted_seq, retracted_count)
                 VALUES (1, 1, 150, 1) RETURNING seq"""
        assert await connection.fetchval(sql) == 250
        assert await snapshots.prune(connection, 260) == 0


async def test_p17_snapshot_that_was_removed_is_no_empty_state(pool: Pool) -> None:
    async with pool.acquire() as connection:
        seq = await _stateful_trigger(connection, 4)
        assert await snapshots.load(connection, 4, seq - 1) == {}
        with pytest.raises(StoreError, match="another base"):
            await snapshots.load(connection, 4, seq)


async def _stateful_trigger(connection: Connection, partition: int) -> int:
    sql = """INSERT INTO trigger_versions (trigger_id, from_seq, organization_id, partition, definition)
             VALUES (gen_random_uuid(), 0, gen_random_uuid(), $1, '{}') RETURNING from_seq"""
    seq: int = await connection.fetchval(sql, partition)
    return seq
