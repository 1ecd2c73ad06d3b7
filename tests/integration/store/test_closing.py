"""A closed organization ends at once for everybody; its rows go in batches, its triggers with null versions (P7)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from agentauri.actors import maintenance
from agentauri.config import Retention
from agentauri.errors import NotFound
from agentauri.store import closing, organizations, pausing
from agentauri.store.database import Connection, Pool
from tests.support.queue import URL, Queue, make_queue
from tests.support.triggers import EMA_LOW, make_trigger

LEFT = ("organizations", "members", "triggers", "trigger_actions", "deliveries", "delivery_attempts", "webhook_secrets")


@pytest.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection


@pytest.fixture
async def queue(db: Connection) -> Queue:
    made = await make_queue(db)
    (delivery, *_) = await made.add_deliveries(db, await made.add_action(db, URL), 3)
    await db.execute(
        """INSERT INTO delivery_attempts (delivery_id, organization_id, number, lease_token)
           VALUES ($1, $2, 1, gen_random_uuid())""",
        delivery,
        made.organization,
    )
    return made


async def close(db: Connection, queue: Queue) -> None:
    async with db.transaction():
        await organizations.get_for_change(db, queue.organization)
        await closing.close(db, queue.organization)


async def test_p07_triggers_leave_the_log_with_null_versions(db: Connection, queue: Queue) -> None:
    definition = await make_trigger(db, queue.organization, [EMA_LOW])
    await close(db, queue)
    newest = "SELECT definition FROM trigger_versions WHERE trigger_id = $1 ORDER BY from_seq DESC LIMIT 1"
    assert await db.fetchval("SELECT count(*) FROM trigger_versions WHERE trigger_id = $1", definition.id) == 2
    assert await db.fetchval(newest, definition.id) is None
    assert await db.fetchval("SELECT count(*) FROM triggers") == 0


async def test_closed_organization_is_not_found(db: Connection, queue: Queue) -> None:
    await close(db, queue)
    with pytest.raises(NotFound):
        await organizations.get_for_change(db, queue.organization)


async def test_maintenance_takes_everything_of_a_closed_organization_and_of_no_other(
    db: Connection, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "BATCH_TRIGGERS", 2)
    for _ in range(5):
        await make_trigger(db, queue.organization, [EMA_LOW])
    other = await make_queue(db)
    await other.add_deliveries(db, await other.add_action(db, URL))
    await close(db, queue)
    await maintenance.round_once(db, Retention(), datetime.now(UTC))
    left = {table: await db.fetchval(f"SELECT count(*) FROM {table}") for table in LEFT}
    assert left == {
        "organizations": 1, "members": 0, "triggers": 1, "trigger_actions": 1, "deliveries": 1,
        "delivery_attempts": 0, "webhook_secrets": 1,
    }  # fmt: skip
    nulls = await db.fetchval("SELECT count(*) FROM trigger_versions WHERE definition IS NULL")
    assert nulls == 6


async def test_personal_organization_can_be_closed_so_that_its_user_can_go(db: Connection, queue: Queue) -> None:
    user = uuid4()
    await db.execute("INSERT INTO users (id) VALUES ($1)", user)
    await db.execute("UPDATE organizations SET personal_of = $1", user)
    await close(db, queue)
    await db.execute("DELETE FROM users WHERE id = $1", user)
    assert await closing.list_closed(db) == [queue.organization]


async def test_maintenance_goes_on_with_what_pausing_and_resuming_left(db: Connection, queue: Queue) -> None:
    await db.execute("UPDATE organizations SET paused_at = now()")
    await maintenance.round_once(db, Retention(), datetime.now(UTC))
    codes = "SELECT count(*) FROM deliveries WHERE status_code = $1"
    assert await db.fetchval(codes, pausing.PAUSED_CODE) == 3
    await db.execute("UPDATE organizations SET paused_at = NULL")
    await maintenance.round_once(db, Retention(), datetime.now(UTC))
    assert await db.fetchval(codes, pausing.PAUSED_CODE) == 0


async def test_audit_log_is_kept_for_its_days(db: Connection) -> None:
    await db.execute(
        """INSERT INTO audit_log (id, actor_kind, action, created_at)
           SELECT gen_random_uuid(), 'system', 'x', now() - d * interval '10 days' FROM generate_series(0, 3) AS d"""
    )
    await maintenance.round_once(db, Retention(audit_days=15), datetime.now(UTC))
    assert await db.fetchval("SELECT count(*) FROM audit_log") == 2
