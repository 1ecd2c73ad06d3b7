"""Writing events and retractions to a real PostgreSQL."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agentauri.errors import StoreError
from agentauri.models.ids import event_id
from agentauri.models.log import DecodedLog
from agentauri.store import database as store
from agentauri.store import events
from agentauri.store.database import Pool
from tests.support.logs import CONTRACT, FIRST_TIME, a_log, block

CHAIN = 31337


async def append(pool: Pool, *logs: DecodedLog) -> events.Appended:
    async with pool.acquire() as connection, connection.transaction():
        return await events.append(connection, CHAIN, logs)


async def retract(pool: Pool, fork_block: int) -> events.Appended:
    async with pool.acquire() as connection, connection.transaction():
        return await events.retract(connection, CHAIN, fork_block)


async def test_an_event_is_stored_with_all_its_columns(pool: Pool) -> None:
    log = a_log(block(5), 3, agent_id=0, data={"value": "9977", "score": "99.77", "tag1": "日本語"})

    appended = await append(pool, log)

    row = await pool.fetchrow("SELECT * FROM events")
    assert row is not None
    assert dict(row) | {"created_at": None} == {
        "id": event_id(CHAIN, log.block_hash, log.transaction_hash, 3, 0),
        "seq": appended.last_seq,
        "chain_id": CHAIN,
        "registry": "reputation",
        "event_type": "NewFeedback",
        "agent_id": 0,
        "contract": CONTRACT,
        "block_number": 5,
        "block_hash": log.block_hash,
        "block_timestamp": datetime.fromtimestamp(FIRST_TIME + 50, UTC),
        "transaction_hash": log.transaction_hash,
        "log_index": 3,
        "data": {"value": "9977", "score": "99.77", "tag1": "日本語"},
        "retracted_at": None,
        "retracted_seq": None,
        "created_at": None,
    }


async def test_p01_events_get_their_seqs_in_their_order(pool: Pool) -> None:
    logs = [a_log(block(number), index) for number in range(1, 21) for index in range(10)]
    appended = await append(pool, *logs)

    rows = await pool.fetch("SELECT block_number, log_index FROM events ORDER BY seq")

    assert [tuple(row) for row in rows] == [(log.block_number, log.log_index) for log in logs]
    assert appended == events.Appended(200, await pool.fetchval("SELECT max(seq) FROM events"))


async def test_p02_more_rows_than_the_lock_may_be_held_for_are_refused(pool: Pool) -> None:
    logs = [a_log(block(1), index) for index in range(events.MAX_ROWS + 1)]

    with pytest.raises(StoreError, match="1000 are the most"):
        await append(pool, *logs)


async def test_an_event_without_a_block_time_is_refused(pool: Pool) -> None:
    untimed = replace(a_log(block(1)), block_timestamp=None)

    with pytest.raises(StoreError, match="no block time"):
        await append(pool, untimed)


async def test_p04_what_the_decoder_lets_through_can_be_stored_and_indexed(pool: Pool) -> None:
    key, uri = "k" * 20_000, "data:," + "A" * 200_000
    log = a_log(block(1), data={"metadata_key": key, "agent_uri": uri, "tag1": "�", "tag1_hex": "0x00"})

    await append(pool, log)

    assert await pool.fetchval("SELECT data FROM events") == log.data


async def test_p05_the_same_log_is_written_once(pool: Pool) -> None:
    await append(pool, a_log(block(1)))

    assert await append(pool, a_log(block(1)), a_log(block(1), 1)) == events.Appended(1, 3)
    assert await pool.fetchval("SELECT count(*) FROM events") == 2


async def test_p05_a_block_that_is_adopted_again_gives_new_rows(pool: Pool) -> None:
    log = a_log(block(2))
    for n in range(3):
        await append(pool, log)
        expected = event_id(CHAIN, log.block_hash, log.transaction_hash, log.log_index, n)
        assert await pool.fetchval("SELECT id FROM events WHERE retracted_at IS NULL") == expected
        await retract(pool, 1)

    assert await pool.fetchval("SELECT count(DISTINCT seq) FROM events") == 3


async def test_p06_a_retraction_is_a_row_of_the_log_that_its_events_name(pool: Pool) -> None:
    await append(pool, a_log(block(1)), a_log(block(2)), a_log(block(3), 0), a_log(block(3), 1))
    seqs = [row[0] for row in await pool.fetch("SELECT seq FROM events ORDER BY seq")]

    retracted = await retract(pool, 1)

    assert retracted == events.Appended(3, seqs[-1] + 1)
    row = await pool.fetchrow("SELECT seq, chain_id, fork_block, first_retracted_seq, retracted_count FROM retractions")
    assert row is not None
    assert tuple(row) == (retracted.last_seq, CHAIN, 1, seqs[1], 3)
    marked = await pool.fetch("SELECT seq, retracted_seq FROM events WHERE retracted_at IS NOT NULL ORDER BY seq")
    assert [tuple(one) for one in marked] == [(seq, retracted.last_seq) for seq in seqs[1:]]


async def test_p06_retracting_twice_changes_nothing(pool: Pool) -> None:
    await append(pool, a_log(block(2)))
    await retract(pool, 1)

    assert await retract(pool, 1) == events.Appended(0, 0)
    assert await pool.fetchval("SELECT count(*) FROM retractions") == 1


async def test_p06_a_retraction_that_outlasts_the_statement_timeout_is_not_cut_short(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(pool, a_log(block(2)))
    await pool.execute("""
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
        CREATE TRIGGER dawdle AFTER UPDATE ON events FOR EACH STATEMENT EXECUTE FUNCTION dawdle()""")
    monkeypatch.setattr(store, "STATEMENT_MS", 500)
    monkeypatch.setattr(store, "COMMAND_SECONDS", 0.5)
    hasty = await store.open_pool(database, size=1, name="hasty")

    try:
        assert (await retract(hasty, 1)).count == 1
    finally:
        await hasty.close()


async def test_p06_another_chain_keeps_its_events(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await events.append(connection, 1, [a_log(block(2))])

    assert await retract(pool, 1) == events.Appended(0, 0)


async def test_p10_events_land_in_the_month_that_was_made_before(pool: Pool) -> None:
    month = datetime(2031, 3, 1, tzinfo=UTC)
    moment = int(datetime(2031, 3, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    async with pool.acquire() as connection, connection.transaction():
        await events.ensure_month(connection, month)

    await append(pool, a_log(replace(block(1), time=moment)))

    assert await pool.fetchval("SELECT tableoid::regclass::text FROM events") == "events_2031_03"


def test_p10_the_months_of_times_are_their_first_moments() -> None:
    last_of_january = int(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC).timestamp())

    assert events.months_of([last_of_january + 1, last_of_january, last_of_january]) == [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
    ]
