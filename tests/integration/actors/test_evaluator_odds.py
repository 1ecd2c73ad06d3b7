"""What an evaluator does when the world is odd: stores away or restored, rows nobody foresaw, commits of any size."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from agentauri.actors.evaluator import EvaluatorSettings
from agentauri.actors.state_keeper import StateKeeper
from agentauri.store import firings
from agentauri.store.checkpoints import Checkpoints, Meta
from agentauri.store.database import Pool
from tests.integration.actors.test_evaluator import retract, scores, some_scores, state_of, three_triggers
from tests.support.path import Gone, Rig
from tests.support.rows import feedback, insert_events
from tests.support.triggers import EMA_LOW, LOW_SCORE, make_organization, make_trigger


@pytest.fixture
async def without_redis(pool: Pool, database: str) -> AsyncIterator[Rig]:
    """A rig whose Redis is not there."""
    found = Rig(pool, database, "redis://127.0.0.1:1/0")
    yield found
    await found.crash_all()


async def test_p16_evaluator_starts_and_works_without_redis(without_redis: Rig) -> None:
    await three_triggers(without_redis)
    await scores(without_redis, some_scores(20))
    evaluator = await without_redis.start()
    await without_redis.serve(evaluator)
    live = state_of(evaluator)
    assert await without_redis.deliveries()
    await evaluator.drain()
    again = await without_redis.start()
    assert state_of(again) == live


async def test_p11_restored_database_is_noticed_with_the_new_leader(rig: Rig) -> None:
    await three_triggers(rig)
    await scores(rig, [1, 2, 3])
    evaluator = await rig.served()
    await rig.pool.execute("UPDATE partitions SET last_seq = last_seq - 1")
    page = (await rig.reader.page(0)).page  # type: ignore[union-attr]  # there are events
    newer = type(page)(7, page.last_seq, page.last_seq, 0, b"")
    with pytest.raises(Gone):
        await evaluator.batch(newer)


async def test_evaluator_without_partitions_follows_the_log(pool: Pool, database: str, redis_url: str) -> None:
    rig = Rig(pool, database, redis_url)
    rig.settings = EvaluatorSettings(
        index=0, evaluators=1, name="idle", database_url=database, redis_url=redis_url, deliverers_max=1
    )
    evaluator = await rig.start()
    evaluator._owned = []
    await scores(rig, [1, 2])
    await rig.serve(evaluator)
    assert (await evaluator.progress()).last_seq == await rig.head()
    await rig.crash_all()


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "12026-01-01", "0044-03-15 BC"])
async def test_p04_time_that_no_block_has_is_refused_at_the_table(pool: Pool, moment: str) -> None:
    sql = f"""INSERT INTO events (chain_id, registry, event_type, block_number, block_hash, block_timestamp,
              transaction_hash, log_index) VALUES (1, 'identity', 'X', 1, '0x', '{moment}', '0x', 0)"""
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(sql)


@pytest.mark.parametrize("tag", ["[" * 252 + "]" * 252, "1e400", '"\\u00ff"'])
async def test_p04_data_that_no_encoder_takes_enqueue_all_the_same(rig: Rig, tag: str) -> None:
    async with rig.pool.acquire() as connection:
        await make_trigger(connection, await make_organization(connection), [LOW_SCORE])
        (event,) = await insert_events(connection, [feedback(1, data={"score": "1"})])
        sql = "UPDATE events SET data = data || jsonb_build_object('tag2', $1::text::jsonb) WHERE id = $2"
        await connection.execute(sql, tag, event)
    await rig.served()
    assert len(await rig.deliveries()) == 1


async def test_p04_error_outside_any_trigger_costs_its_event_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_triggers(rig)
    await scores(rig, [1, 2, 3])
    evaluator = await rig.start()
    real = evaluator._engine.evaluate

    def sometimes(event: Any, skip: Any = frozenset()) -> Any:
        if event.data["score"] == "2":
            raise OverflowError("by a test")
        return real(event, skip)

    monkeypatch.setattr(evaluator._engine, "evaluate", sometimes)
    await rig.serve(evaluator)
    assert len({event for _, _, event, _ in await rig.deliveries()}) == 2


async def test_commit_beyond_one_statement_is_one_transaction(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firings, "SLICE_ROWS", 7)
    await three_triggers(rig)
    await scores(rig, [1] * 30)
    await rig.served()
    assert len(await rig.deliveries()) > 60
    counted = await rig.pool.fetchval("SELECT sum(fired) FROM trigger_ledger")
    assert counted == await rig.pool.fetchval("SELECT sum(fired_count) FROM triggers")


async def test_p16_checkpoint_written_while_it_is_read_is_not_used(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_triggers(rig)
    await scores(rig, some_scores(30))
    evaluator = await rig.served()
    live = state_of(evaluator)
    await rig.crash(evaluator)
    real = Checkpoints.load

    async def overtaken(self: Checkpoints, partition: int, meta: Meta) -> Any:
        state = await real(self, partition, meta)
        key = self._meta_key(partition)
        await self._redis.hset(key, "last_seq", meta.last_seq + 1)
        return dict.fromkeys(state or {})

    monkeypatch.setattr(Checkpoints, "load", overtaken)
    again = await rig.start()
    assert state_of(again) == live


async def test_p16_checkpoints_of_a_batch_end_before_the_next_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await three_triggers(rig)
    evaluator = await rig.start()
    ended: list[bool] = []

    async def fails(self: StateKeeper, one: Any, *rest: Any) -> None:
        if one.partition % 2:
            raise ConnectionError("by a test")
        for _ in range(3):
            await rig.pool.fetchval("SELECT 1")
        ended.append(True)

    monkeypatch.setattr(StateKeeper, "_write", fails)
    await evaluator._keeper.checkpoint_whole(evaluator._owned, evaluator._engine)
    assert len(ended) == 32


async def test_p18_retraction_sends_nothing_that_no_reorganisation_touched(rig: Rig) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        await make_trigger(connection, organization, [LOW_SCORE])
        await make_trigger(connection, organization, [EMA_LOW])
    await scores(rig, [10, 20, 30, 40])
    evaluator = await rig.served()
    gone = "DELETE FROM deliveries USING triggers t WHERE t.id = trigger_id AND NOT t.is_stateful"
    await rig.pool.execute(gone)
    before = await rig.deliveries()
    await retract(rig, 2, 1)
    await rig.serve(evaluator)
    assert {row[:3] for row in await rig.deliveries()} == {row[:3] for row in before}


async def test_p24_row_that_holds_again_loses_its_flag(rig: Rig) -> None:
    async with rig.pool.acquire() as connection:
        await make_trigger(connection, await make_organization(connection), [EMA_LOW])
    await scores(rig, [10, 20, 30])
    evaluator = await rig.served()
    await rig.pool.execute("UPDATE deliveries SET status = 'delivering', retracted = true")
    await retract(rig, 0, 1)
    await rig.serve(evaluator)
    flags = await rig.pool.fetch("SELECT retracted FROM deliveries ORDER BY event_seq")
    assert [row[0] for row in flags] == [True, False, False]
