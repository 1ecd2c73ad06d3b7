"""Deliveries as their organization sees them: pages, details, cancelling."""

from uuid import uuid4

import pytest

from agentauri.errors import Conflict, NotFound
from agentauri.models.delivery import DeliveryStatus
from agentauri.store import deliveries
from agentauri.store.database import Pool
from tests.support.queue import URL, make_queue


async def test_pages_meet_every_row_once_from_new_to_old(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue, other = await make_queue(db), await make_queue(db)
        action = await queue.add_action(db, URL)
        ids = [*await queue.add_deliveries(db, action, 7), *await queue.add_deliveries(db, action, 6)]
        await other.add_deliveries(db, await other.add_action(db, URL), 3)
        met, cursor = [], None
        while True:
            page, cursor = await deliveries.list_deliveries(db, queue.organization, cursor=cursor, limit=4)
            met += page
            if cursor is None:
                break
        assert sorted(one.id for one in met) == sorted(ids)
        assert [one.created_at for one in met] == sorted((one.created_at for one in met), reverse=True)


async def test_filters_narrow(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue = await make_queue(db)
        action = await queue.add_action(db, URL)
        dead, *_ = await queue.add_deliveries(db, action, 3)
        await queue.add_deliveries(db, await queue.add_action(db, URL), 2)
        await db.execute("UPDATE deliveries SET status = 'dead' WHERE id = $1", dead)
        by_status, _ = await deliveries.list_deliveries(db, queue.organization, statuses=[DeliveryStatus.DEAD])
        by_action, _ = await deliveries.list_deliveries(db, queue.organization, action_id=action)
        assert [one.id for one in by_status] == [dead]
        assert len(by_action) == 3


async def test_delivery_of_another_organization_is_not_found(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue = await make_queue(db)
        (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL))
        found = await deliveries.get_delivery(db, queue.organization, id_)
        assert (found.delivery.status, found.attempts) == ("pending", ())
        with pytest.raises(NotFound):
            await deliveries.get_delivery(db, uuid4(), id_)
        with pytest.raises(NotFound):
            await deliveries.cancel(db, uuid4(), id_)


async def test_only_what_waits_can_be_cancelled(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue = await make_queue(db)
        (id_,) = await queue.add_deliveries(db, await queue.add_action(db, URL))
        await deliveries.cancel(db, queue.organization, id_)
        with pytest.raises(Conflict, match="cancelled"):
            await deliveries.cancel(db, queue.organization, id_)


async def test_p23_edited_destination_moves_open_rows(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue = await make_queue(db)
        action = await queue.add_action(db, URL)
        await queue.add_deliveries(db, action, 2)
        await db.execute("UPDATE trigger_actions SET lane = 'host:new', destination = 'new' WHERE id = $1", action)
        assert await deliveries.move_to_new_place(db, queue.organization, action) == {"host:new"}
        assert await deliveries.move_to_new_place(db, queue.organization, action) == set()


async def test_deleted_action_cancels_what_waits(pool: Pool) -> None:
    async with pool.acquire() as db:
        queue = await make_queue(db)
        action = await queue.add_action(db, URL)
        await queue.add_deliveries(db, action, 2)
        assert await deliveries.cancel_of_actions(db, queue.organization, [action]) == 2
