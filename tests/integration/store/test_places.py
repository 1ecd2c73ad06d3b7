"""Where deliveries go whose server each event's agent names: a place of each agent, through every statement."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.models.action import ActionType
from agentauri.models.delivery import Destination
from agentauri.store import claims, deliveries, lanes, pausing, retractions
from agentauri.store.database import Connection, Pool
from tests.support.queue import EVENT, Queue

RESOLVED: dict[str, Any] = {"resolve_endpoint": True, "tool_name": "x", "notify_retraction": True}
LEASE_SECONDS = 60.0


@pytest.fixture
async def db(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection


async def place(db: Connection, delivery: UUID) -> tuple[str, str]:
    row = await db.fetchrow("SELECT lane, destination FROM deliveries WHERE id = $1", delivery)
    assert row is not None
    return row["lane"], row["destination"]


@pytest.mark.parametrize(
    ("event", "agent"),
    [
        (EVENT, "31337:42"), ({**EVENT, "agent_id": 0}, "31337:0"),
        ({**EVENT, "agent_id": None, "data": {"agent_id": "9" * 78}}, "31337:" + "9" * 78),
        ({**EVENT, "agent_id": None}, "31337:"),
        ({**EVENT, "agent_id": None, "data": {"agent_id": "x" * 200}}, "31337:" + "x" * 80),
    ],
)  # fmt: skip
async def test_p22_resolved_delivery_has_a_place_of_its_agent(
    db: Connection, queue: Queue, event: dict[str, Any], agent: str
) -> None:
    action = await queue.add_action_of(db, ActionType.MCP, **RESOLVED)
    (delivery,) = await queue.add_deliveries(db, action, event=event)
    assert await place(db, delivery) == (f"agent:{agent}", f"{queue.organization} agent:{agent}")


async def claim(db: Connection, queue: Queue, lane: str, destination: str) -> claims.Claim:
    token = uuid4()
    await lanes.take(db, token, "d", [lane], LEASE_SECONDS)
    return await claims.claim(db, queue.vault, token, [(Destination(lane, destination), 5)])


async def test_p23_resolved_delivery_is_claimed_where_it_is(db: Connection, queue: Queue) -> None:
    action = await queue.add_action_of(db, ActionType.MCP, **RESOLVED)
    (delivery,) = await queue.add_deliveries(db, action)
    claimed = await claim(db, queue, *await place(db, delivery))
    assert [one.id for one in claimed.deliveries] == [delivery]


async def test_p23_delivery_moves_to_its_agent_when_its_action_resolves_now(db: Connection, queue: Queue) -> None:
    action = await queue.add_action(db, "http://127.0.0.1:9999/")
    (delivery,) = await queue.add_deliveries(db, action)
    old = await place(db, delivery)
    sql = "UPDATE trigger_actions SET action_type = 'mcp', lane = 'agent:*', destination = $2 WHERE id = $1"
    await db.execute(sql, action, f"{queue.organization} agent:*")
    claimed = await claim(db, queue, *old)
    assert claimed.deliveries == ()
    assert claimed.moved_to == {"agent:31337:42"}
    assert await place(db, delivery) == ("agent:31337:42", f"{queue.organization} agent:31337:42")
    assert await deliveries.move_to_new_place(db, queue.organization, action) == set()


async def test_edited_action_takes_its_waiting_deliveries_back_to_a_host(db: Connection, queue: Queue) -> None:
    action = await queue.add_action_of(db, ActionType.MCP, **RESOLVED)
    (delivery,) = await queue.add_deliveries(db, action)
    await db.execute("UPDATE trigger_actions SET lane = 'host:x', destination = 'o x' WHERE id = $1", action)
    assert await deliveries.move_to_new_place(db, queue.organization, action) == {"host:x"}
    assert await place(db, delivery) == ("host:x", "o x")


async def test_retraction_notice_goes_to_the_agent_too(db: Connection, queue: Queue) -> None:
    action = await queue.add_action_of(db, ActionType.MCP, **RESOLVED)
    (delivery,) = await queue.add_deliveries(db, action)
    notice = uuid4()
    await db.fetch(retractions.NOTICE_SQL, [notice], [delivery])
    assert (await place(db, notice))[0] == "agent:31337:42"


async def test_pause_holds_what_waits_for_agents_and_releases_it_in_place(db: Connection, queue: Queue) -> None:
    action = await queue.add_action_of(db, ActionType.MCP, **RESOLVED)
    other = await queue.add_action(db, "http://127.0.0.1:9999/")
    (delivery,) = await queue.add_deliveries(db, action)
    await queue.add_deliveries(db, other, 2)
    await db.execute("UPDATE organizations SET paused_at = now() WHERE id = $1", queue.organization)
    assert await pausing.hold_waiting(db, queue.organization) == 3
    await db.execute("UPDATE organizations SET paused_at = NULL WHERE id = $1", queue.organization)
    assert await pausing.release_paused(db, queue.organization) == 3
    assert (await place(db, delivery))[0] == "agent:31337:42"
