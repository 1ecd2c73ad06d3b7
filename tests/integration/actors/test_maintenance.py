"""A round of maintenance on a real database: what it makes ahead, and that it drops nothing that a replay needs."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from agentauri.actors import maintenance
from agentauri.config import Retention
from agentauri.store import events, log, partitions
from agentauri.store.database import Connection, Pool
from tests.support.rows import feedback, insert_events
from tests.support.starts import Starts
from tests.support.triggers import EMA_LOW, LOW_SCORE, make_organization, make_trigger, put_version

NOW = datetime(2026, 9, 20, tzinfo=UTC)
OLD = datetime(2026, 1, 5, tzinfo=UTC)


async def months(pool: Pool) -> set[str]:
    rows = await pool.fetch("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass")
    return {row[0] for row in rows}


async def old_and_new(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for moment in (OLD, NOW):
            await connection.execute("SELECT events_ensure_month($1)", moment)
            await insert_events(connection, [feedback(1, block_timestamp=moment)])


async def round_with(pool: Pool, **days: int) -> None:
    async with pool.acquire() as connection:
        await maintenance.round_once(connection, Retention(**days), NOW)


async def evaluated(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("UPDATE partitions SET last_seq = $1", await log.head(connection))


async def waits_for_lock(pool: Pool, task: "asyncio.Task[None]") -> None:
    while not task.done():
        if await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            return
        await asyncio.sleep(0.01)


async def test_p10_months_are_made_ahead_while_a_listener_leads(pool: Pool, database: str) -> None:
    async with pool.acquire() as leader:
        assert await leader.fetchval("SELECT pg_try_advisory_lock(8004, 10)")
        await round_with(pool)
    assert {"events_2026_09", "events_2026_10", "events_2026_11"} <= await months(pool)


async def test_p10_old_month_is_dropped_once_everybody_is_past_it(pool: Pool) -> None:
    await old_and_new(pool)
    await round_with(pool, events_days=30)
    assert "events_2026_01" in await months(pool)
    await evaluated(pool)
    await round_with(pool, events_days=30)
    assert "events_2026_01" not in await months(pool)
    assert await pool.fetchval("SELECT count(*) FROM events") == 1


async def test_p10_month_that_a_replay_needs_is_kept(pool: Pool) -> None:
    async with pool.acquire() as connection:
        organization = await make_organization(connection)
        trigger = await make_trigger(connection, organization, [EMA_LOW])
    await old_and_new(pool)
    await evaluated(pool)
    await round_with(pool, events_days=30)
    assert "events_2026_01" in await months(pool)
    async with pool.acquire() as connection:
        partition = await connection.fetchval("SELECT partition FROM triggers WHERE id = $1", trigger.id)
        (owned,) = await partitions.take(connection, [partition], "me")
        await connection.execute(
            "INSERT INTO trigger_state (partition, last_seq, owner_token, state, keys) VALUES ($1, $2, $3, '', 0)",
            partition, owned.last_seq, owned.token,
        )  # fmt: skip
    await round_with(pool, events_days=30)
    assert "events_2026_01" not in await months(pool)


async def test_p10_rows_that_a_backfill_commits_while_the_drop_waits_are_kept(pool: Pool) -> None:
    await old_and_new(pool)
    await evaluated(pool)
    await round_with(pool)
    async with pool.acquire() as backfill, pool.acquire() as keeper:
        backfilled = backfill.transaction()
        await backfilled.start()
        await insert_events(backfill, [feedback(2, block_timestamp=OLD)])
        round_ = asyncio.create_task(maintenance.round_once(keeper, Retention(events_days=30), NOW))
        await waits_for_lock(pool, round_)
        await backfilled.commit()
        await round_
    assert await pool.fetchval("SELECT count(*) FROM events WHERE block_timestamp = $1", OLD) == 2


async def test_p10_making_months_gives_way_to_a_long_reader(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MONTH_LOCK_MS", 100)
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT FROM delivery_attempts, events")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await asyncio.wait_for(round_with(pool), timeout=10)
    await round_with(pool)
    assert "events_2026_11" in await months(pool)


async def test_p10_month_in_which_a_trigger_begins_is_kept_until_its_past_is_worked_off(pool: Pool) -> None:
    await old_and_new(pool)
    async with pool.acquire() as connection:
        await make_trigger(connection, await make_organization(connection), [LOW_SCORE], after=0)
    await evaluated(pool)
    await round_with(pool, events_days=30)
    assert "events_2026_01" in await months(pool)
    await Starts(pool).work()
    await evaluated(pool)
    await round_with(pool, events_days=30)
    assert "events_2026_01" not in await months(pool)


async def test_p10_trigger_that_is_made_while_the_drop_waits_keeps_its_month(pool: Pool) -> None:
    await old_and_new(pool)
    await evaluated(pool)
    await round_with(pool)
    async with pool.acquire() as maker, pool.acquire() as keeper:
        organization = await make_organization(maker)
        making = maker.transaction()
        await making.start()
        await make_trigger(maker, organization, [LOW_SCORE], after=0)
        round_ = asyncio.create_task(maintenance.round_once(keeper, Retention(events_days=30), NOW))
        await waits_for_lock(pool, round_)
        await making.commit()
        await round_
    assert "events_2026_01" in await months(pool)


async def test_p17_what_a_trigger_joined_with_is_dropped_when_no_replay_comes_by(pool: Pool) -> None:
    await old_and_new(pool)
    async with pool.acquire() as connection:
        await make_trigger(connection, await make_organization(connection), [EMA_LOW], after=0)
    await Starts(pool).work()
    await evaluated(pool)
    await round_with(pool)
    assert await pool.fetchval("SELECT state FROM trigger_starts") is not None
    async with pool.acquire() as connection:
        await snapshot_everywhere(connection, await log.head(connection))
        await watch(connection, final_block=2)
    await round_with(pool)
    assert await pool.fetchval("SELECT state FROM trigger_starts") is None


async def snapshot_everywhere(connection: Connection, *seqs: int) -> None:
    await connection.execute(
        """INSERT INTO trigger_state (partition, last_seq, owner_token, state, keys)
           SELECT partition, seq, 0, '', 0 FROM partitions, unnest($1::bigint[]) AS seq""",
        seqs,
    )


async def watch(connection: Connection, *, final_block: int) -> None:
    await connection.execute(
        """INSERT INTO chains (chain_id, name, block_number, final_block, updated_at) VALUES (31337, 'test', 9, $1, $2)
           ON CONFLICT (chain_id) DO UPDATE SET final_block = EXCLUDED.final_block""",
        final_block, NOW,
    )  # fmt: skip


async def test_p07_what_a_retraction_may_need_is_kept_while_all_snapshots_are_above_what_is_final(pool: Pool) -> None:
    async with pool.acquire() as connection:
        trigger = await make_trigger(connection, await make_organization(connection), [EMA_LOW])
        await connection.execute("SELECT events_ensure_month($1)", OLD)
        await insert_events(connection, [feedback(1, block_timestamp=OLD)])
        await put_version(connection, trigger)
        await insert_events(connection, [feedback(2, block_timestamp=NOW)])
        await snapshot_everywhere(connection, await log.head(connection))
        await watch(connection, final_block=1)
    await evaluated(pool)
    await round_with(pool, events_days=30)
    assert await pool.fetchval("SELECT count(*) FROM trigger_versions") == 2
    assert "events_2026_01" in await months(pool)
    async with pool.acquire() as connection:
        await watch(connection, final_block=2)
    await round_with(pool, events_days=30)
    assert await pool.fetchval("SELECT count(*) FROM trigger_versions") == 1
    assert "events_2026_01" not in await months(pool)


async def test_p17_snapshots_above_what_is_final_are_thinned_by_their_age(pool: Pool) -> None:
    ages = {1: 300_000, 2: 200_000, 3: 199_000, 4: 20_000, 5: 19_000, 6: 620, 7: 610, 8: 70, 9: 50}
    async with pool.acquire() as connection:
        (event,) = await insert_events(connection, [feedback(1, block_timestamp=NOW)])
        await connection.execute("UPDATE events SET seq = 2 WHERE id = $1", event)
        await watch(connection, final_block=0)
        await connection.execute("UPDATE partitions SET last_seq = 9")
        await snapshot_everywhere(connection, *ages)
        for seq, seconds in ages.items():
            await connection.execute(
                "UPDATE trigger_state SET created_at = $2 WHERE last_seq = $1", seq, NOW - timedelta(seconds=seconds)
            )
    await round_with(pool)
    kept = await pool.fetch("SELECT last_seq FROM trigger_state WHERE partition = 7 ORDER BY last_seq")
    assert [row[0] for row in kept] == [1, 3, 5, 7, 8, 9]


async def test_p17_chain_that_is_watched_no_more_keeps_no_snapshots(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await insert_events(connection, [feedback(1, block_timestamp=NOW)])
        await watch(connection, final_block=0)
        await connection.execute("UPDATE partitions SET last_seq = 9")
        later = NOW + maintenance.SILENT + timedelta(hours=1)
        await snapshot_everywhere(connection, 4, 8)
        await connection.execute(
            "UPDATE trigger_state SET created_at = $1::timestamptz + (last_seq - 10) * interval '1 minute'", later
        )
        await maintenance.round_once(connection, Retention(), later)
        assert await connection.fetchval("SELECT count(*) FROM trigger_state") == 2 * 64
        await maintenance.round_once(connection, Retention(), later, settled=True)
        assert await connection.fetchval("SELECT count(*) FROM trigger_state") == 64


async def test_without_retention_nothing_is_dropped(pool: Pool) -> None:
    await old_and_new(pool)
    await evaluated(pool)
    await round_with(pool, events_days=0)
    assert "events_2026_01" in await months(pool)


async def test_finished_deliveries_past_their_retention_go(pool: Pool) -> None:
    async with pool.acquire() as connection:
        organization = await make_organization(connection)
        for status in ("delivered", "pending"):
            await connection.execute(
                """INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel,
                   destination, lane, status, context, updated_at) VALUES (gen_random_uuid(), $1, gen_random_uuid(),
                   gen_random_uuid(), gen_random_uuid(), 1, 'rest', 'd', 'l', $2, '{}', $3)""",
                organization, status, OLD,
            )  # fmt: skip
    await round_with(pool, deliveries_days=90)
    assert [row[0] for row in await pool.fetch("SELECT status FROM deliveries")] == ["pending"]


async def test_p19_deliveries_that_an_enabling_missed_are_queued(pool: Pool) -> None:
    async with pool.acquire() as connection:
        organization = await make_organization(connection)
        trigger = await make_trigger(connection, organization, [EMA_LOW], actions=2)
        enabled, disabled = (action.id for action in trigger.actions)
        await connection.execute("UPDATE trigger_actions SET enabled = false WHERE id = $1", disabled)
        for action, code in ((enabled, "action_disabled"), (enabled, "no_credits"), (disabled, "action_disabled")):
            await connection.execute(
                """INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel,
                   destination, lane, status, status_code, context) VALUES (gen_random_uuid(), $1, $2, $3,
                   gen_random_uuid(), 1, 'rest', 'd', 'l', 'held', $4, '{}')""",
                organization, trigger.id, action, code,
            )  # fmt: skip
    await round_with(pool)
    rows = await pool.fetch("SELECT action_id, lane, status_code FROM deliveries WHERE status = 'pending'")
    assert [tuple(row) for row in rows] == [(enabled, "127.0.0.1", None)]


async def test_failed_logins_and_tokens_of_mails_are_forgotten_after_a_while(pool: Pool) -> None:
    before, day = NOW - timedelta(hours=1), timedelta(days=1)
    for subject, updated_at in ((b"old", before - day), (b"new", before)):
        await pool.execute("INSERT INTO lockouts VALUES ($1, 5, now() - interval '1 hour', $2)", subject, updated_at)
        await pool.execute("INSERT INTO lockout_pairs VALUES ($1, $1, 5, $2)", subject, updated_at)
    await pool.execute("INSERT INTO lockouts VALUES ('locked', 25, now() + interval '1 hour', $1)", before - day)
    await pool.execute("INSERT INTO users (id) VALUES (gen_random_uuid())")
    for token, expires_at in ((b"old", before), (b"new", NOW + day)):
        await pool.execute(
            """INSERT INTO mail_tokens (token_sha256, user_id, purpose, email, expires_at)
               SELECT $1, id, 'reset', 'a@example.com', $2 FROM users""",
            token,
            expires_at,
        )
    await round_with(pool)
    assert {row["subject"] for row in await pool.fetch("SELECT * FROM lockouts")} == {b"new", b"locked"}
    assert [row["account"] for row in await pool.fetch("SELECT * FROM lockout_pairs")] == [b"new"]
    assert [row["token_sha256"] for row in await pool.fetch("SELECT * FROM mail_tokens")] == [b"new"]
