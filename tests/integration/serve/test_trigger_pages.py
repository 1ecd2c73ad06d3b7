"""Lists of triggers are remembered, and are never out of date: whatever changed a row is in the next list."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import orjson
import pytest

from agentauri.serve.rendered import Rendered
from agentauri.serve.triggers.pages import list_page
from agentauri.store.database import Pool
from agentauri.store.trigger_pages import Filter
from tests.integration.serve.conftest import User
from tests.integration.serve.test_triggers import create

Change = Callable[[User, Pool, str], Awaitable[object]]
PATCHED_CONDITION = {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": 43}


def over_http(method: str, path: str, body: object = None) -> Change:
    async def change(user: User, _: Pool, id_: str) -> None:
        assert (await user.call(method, f"/triggers/{id_}{path}", json=body)).is_success

    return change


def in_sql(sql: str) -> Change:
    async def change(_: User, pool: Pool, id_: str) -> None:
        assert await pool.execute(sql, UUID(id_)) in ("UPDATE 1", "INSERT 0 1")

    return change


CHANGES = {
    "a field": over_http("PATCH", "", {"name": "Another name"}),
    "its conditions": over_http("PATCH", "", {"conditions": [PATCHED_CONDITION]}),
    "one condition": over_http("POST", "/conditions", PATCHED_CONDITION),
    "one action": over_http("POST", "/actions", {"action_type": "rest", "config": {"url": "https://example.com/2"}}),
    "switched off": over_http("POST", "/disable"),
    "its breaker's settings": over_http("PATCH", "/circuit-breaker", {"failure_threshold": 3}),
    "its breaker opened": over_http("POST", "/circuit-breaker/open"),
    "a firing": in_sql("UPDATE triggers SET fired_count = fired_count + 1, last_fired_at = now() WHERE id = $1"),
    "an action disabled by its receiver": in_sql(
        "UPDATE trigger_actions SET enabled = false, disabled_by = 'system', disabled_reason = 'gone' "
        "WHERE trigger_id = $1"
    ),
    "failures counted": in_sql(
        "INSERT INTO trigger_breakers (trigger_id, organization_id, failure_count) "
        "SELECT id, organization_id, 2 FROM triggers WHERE id = $1"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_the_list_after_a_change_shows_what_the_trigger_itself_shows(
    user: User, pool: Pool, change: Change
) -> None:
    ids = [(await create(user))["id"] for _ in range(2)]
    before = (await user.call("GET", "/triggers")).json()["data"]
    await change(user, pool, ids[0])
    after = (await user.call("GET", "/triggers")).json()["data"]
    alone = (await user.call("GET", f"/triggers/{ids[0]}")).json()["data"]
    assert after == [before[0], alone]
    assert alone != before[1]


async def test_a_deleted_trigger_is_not_listed_any_more(user: User) -> None:
    ids = [(await create(user))["id"] for _ in range(2)]
    await user.call("GET", "/triggers")
    await user.call("DELETE", f"/triggers/{ids[1]}")
    listed = (await user.call("GET", "/triggers")).json()
    assert [one["id"] for one in listed["data"]] == ids[:1]
    assert listed["pagination"]["total"] == 1


async def test_a_trigger_whose_breaker_is_open_is_not_remembered_for_it_recovers_with_time_alone(
    user: User, pool: Pool
) -> None:
    id_ = (await create(user))["id"]
    await user.call("POST", f"/triggers/{id_}/circuit-breaker/open")
    memory = Rendered()
    async with pool.acquire() as connection:
        page, total = await list_page(connection, memory, UUID(user.organization_id), Filter(), limit=20, offset=0)
    assert orjson.loads(orjson.dumps(page))[0]["circuit_breaker"]["state"] == "open"
    assert (total, memory.size) == (1, 0)


async def test_total_counts_what_the_filter_lets_through_on_any_page(user: User) -> None:
    for chain_id in (1, 1, 1, 5):
        await create(user, chain_id=chain_id)

    async def page(query: str) -> tuple[int, int]:
        answer = (await user.call("GET", f"/triggers?{query}")).json()
        return len(answer["data"]), answer["pagination"]["total"]

    assert await page("chain_id=1") == (3, 3)
    assert await page("chain_id=1&limit=2") == (2, 3)
    assert await page("chain_id=1&limit=2&offset=2") == (1, 3)
    assert await page("limit=2&offset=6") == (0, 4)


async def test_what_is_unchanged_is_not_read_again(user: User, pool: Pool) -> None:
    await create(user)
    memory = Rendered()
    organization = UUID(user.organization_id)
    async with pool.acquire() as connection:
        first, _ = await list_page(connection, memory, organization, Filter(), limit=20, offset=0)
        async with connection.transaction():
            await connection.execute("LOCK TABLE trigger_conditions IN ACCESS EXCLUSIVE MODE")
            async with pool.acquire() as other:
                await other.execute("SET statement_timeout = '2s'")
                again, _ = await list_page(other, memory, organization, Filter(), limit=20, offset=0)
    assert orjson.dumps(again) == orjson.dumps(first)


async def test_a_full_memory_is_emptied_and_answers_stay_right(user: User, pool: Pool) -> None:
    for _ in range(3):
        await create(user)
    memory = Rendered(max_bytes=2_000)
    async with pool.acquire() as connection:
        pages = [
            (await list_page(connection, memory, UUID(user.organization_id), Filter(), limit=20, offset=0))[0]
            for _ in range(3)
        ]
    assert {orjson.dumps(page) for page in pages} == {orjson.dumps(pages[0])}
    assert memory.size <= 2_000
