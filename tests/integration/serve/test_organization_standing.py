"""Pausing, usage, limits and the audit log of organizations over HTTP."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from agentauri.accounts.roles import Scope
from agentauri.config import build
from agentauri.serve.organizations import service
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from agentauri.store import pausing
from agentauri.store.database import Pool
from agentauri.store.vault import Vault
from tests.integration.serve.conftest import SECRET_KEY, Api, User
from tests.support.queue import Queue
from tests.support.teams import make_team, refusal

URL = "https://hooks.example.com/a"
ACTION = {"action_type": "rest", "config": {"url": URL}}


def limit(api: Api, **free: int) -> None:
    bounds = build({"limits": {"free": free}}).limits
    api.app.state.context.settings = api.app.state.context.settings.model_copy(update={"limits": bounds})


async def fill_queue(pool: Pool, organization_id: str, count: int) -> None:
    queue = Queue(UUID(organization_id), "", Vault(SECRET_KEY))
    async with pool.acquire() as connection:
        await queue.add_deliveries(connection, await queue.add_action(connection, URL), count)


async def codes(user: User) -> list[tuple[str, str | None]]:
    listed = (await user.call("GET", "/deliveries")).json()["data"]
    return sorted((one["status"], one["status_code"]) for one in listed)


async def test_pausing_holds_what_waits_and_resuming_releases_it(user: User, pool: Pool) -> None:
    await fill_queue(pool, user.organization_id, 2)
    path = f"/organizations/{user.organization_id}"
    paused = (await user.call("POST", f"{path}/pause")).json()["data"]
    assert paused["paused_at"] is not None
    assert await codes(user) == [("held", "organization_paused")] * 2
    await fill_queue(pool, user.organization_id, 1)
    assert await codes(user) == [("held", "organization_paused")] * 3
    resumed = (await user.call("POST", f"{path}/resume")).json()["data"]
    assert resumed["paused_at"] is None
    assert await codes(user) == [("pending", None)] * 3


async def test_pausing_again_changes_nothing_and_each_change_is_on_record_once(user: User) -> None:
    path = f"/organizations/{user.organization_id}"
    first = (await user.call("POST", f"{path}/pause")).json()
    assert (await user.call("POST", f"{path}/pause")).json() == first
    for _ in range(2):
        await user.call("POST", f"{path}/resume")
    entries = (await user.call("GET", f"{path}/audit")).json()["data"]
    found = [entry["action"] for entry in entries if entry["action"].startswith("organization.")]
    assert found == ["organization.resumed", "organization.paused"]


async def test_what_a_request_does_not_hold_itself_is_left_to_maintenance(
    user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "BATCH_ROWS", 1)
    monkeypatch.setattr(service, "BATCH_ROWS", 1)
    monkeypatch.setattr(service, "BATCHES_AT_ONCE", 2)
    await fill_queue(pool, user.organization_id, 3)
    await user.call("POST", f"/organizations/{user.organization_id}/pause")
    assert await codes(user) == [("held", "organization_paused")] * 2 + [("pending", None)]


async def test_triggers_of_a_paused_organization_can_be_made_and_changed(user: User) -> None:
    await user.call("POST", f"/organizations/{user.organization_id}/pause")
    assert (await user.call("POST", "/triggers", json=EXAMPLE_TRIGGER)).status_code == 201


async def test_usage_counts_with_limits(user: User, pool: Pool) -> None:
    await user.call("POST", "/triggers", json={**EXAMPLE_TRIGGER, "actions": [ACTION, ACTION]})
    await user.call("POST", "/api-keys", json={"name": "k", "permissions": [Scope.EVENTS_READ]})
    await fill_queue(pool, user.organization_id, 4)
    await pool.execute("UPDATE deliveries SET status = 'delivered' WHERE id = (SELECT id FROM deliveries LIMIT 1)")
    found = (await user.call("GET", f"/organizations/{user.organization_id}/usage")).json()["data"]
    used = {name: one["used"] for name, one in found.items() if isinstance(one, dict)}
    assert used == {"triggers": 2, "actions": 3, "api_keys": 1, "members": 1, "queued_deliveries": 3}
    assert found["queued_deliveries"]["limit"] == 1_000_000
    assert (found["plan"], found["deliveries_this_month"], found["firings_this_month"]) == ("free", 4, 0)
    assert datetime.fromisoformat(found["month"]) <= datetime.now(UTC)


async def test_triggers_beyond_the_plan_are_refused_however_many_ask_at_once(api: Api, user: User) -> None:
    limit(api, triggers=3)
    answers = await asyncio.gather(*(user.call("POST", "/triggers", json=EXAMPLE_TRIGGER) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [403] * 3
    (said,) = {answer.json()["detail"] for answer in answers if answer.status_code == 403}
    assert "3 triggers" in said
    assert (await user.call("GET", "/triggers")).json()["pagination"]["total"] == 3


async def test_actions_beyond_the_plan_are_refused_and_keeping_as_many_is_not(api: Api, user: User) -> None:
    made = (await user.call("POST", "/triggers", json={**EXAMPLE_TRIGGER, "actions": [ACTION, ACTION]})).json()["data"]
    limit(api, actions=1)
    path = f"/triggers/{made['id']}"
    more: dict[str, Any] = {"actions": [*made["actions"], ACTION]}
    assert refusal(await user.call("PATCH", path, json=more)) == (403, "limit_reached")
    assert (await user.call("PATCH", path, json={"actions": made["actions"]})).status_code == 200
    assert (await user.call("PATCH", path, json={"name": "x"})).status_code == 200
    again = await user.call("POST", "/triggers", json={**EXAMPLE_TRIGGER, "actions": [ACTION]})
    assert refusal(again) == (403, "limit_reached")
    assert (await user.call("GET", "/triggers")).json()["pagination"]["total"] == 1


async def test_keys_beyond_the_plan_are_refused_until_one_is_revoked(api: Api, user: User) -> None:
    limit(api, api_keys=1)
    body = {"name": "k", "permissions": [Scope.EVENTS_READ]}
    first = (await user.call("POST", "/api-keys", json=body)).json()["data"]["id"]
    assert refusal(await user.call("POST", "/api-keys", json=body)) == (403, "limit_reached")
    assert (await user.call("DELETE", f"/api-keys/{first}")).status_code == 204
    assert (await user.call("POST", "/api-keys", json=body)).status_code == 201


async def test_audit_log_is_paged_without_gap_or_repeat_and_no_other_cursor_is_taken(api: Api) -> None:
    team = await make_team(api)
    path = f"{team.path}/audit?limit=1"
    met, cursor = [], ""
    while cursor is not None:
        page = (await team.admin.call("GET", path + (f"&cursor={cursor}" if cursor else ""))).json()
        met += [entry["id"] for entry in page["data"]]
        cursor = page["pagination"]["next_cursor"]
    assert len(met) == len(set(met)) == 4
    assert refusal(await team.admin.call("GET", f"{path}&cursor=x")) == (400, "invalid_request")
