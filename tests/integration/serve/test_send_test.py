"""Tests of actions: a real request to a real receiver, told in the answer and nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from agentauri.models.action import MASK
from agentauri.serve import trials
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User, running, settings_for
from tests.support.misbehaving import Misbehaving, misbehaving
from tests.support.receiver import Receiver, receiving
from tests.support.teams import make_team
from tests.support.waiting import eventually


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def bad() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as started:
        yield started


async def path_of(user: User, url: str, trigger: dict[str, Any] | None = None, **config: Any) -> str:
    """The route of a fresh action's tests."""
    action = {"action_type": "rest", "config": {"url": url, **config}}
    body = {"name": "Low score", "match_all": True, "actions": [action], **(trigger or {})}
    made = (await user.call("POST", "/triggers", json=body)).json()["data"]
    return f"/triggers/{made['id']}/actions/{made['actions'][0]['id']}/send-test"


async def send(user: User, path: str) -> dict[str, Any]:
    answer = await user.call("POST", path)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_sample_arrives_signed_and_says_that_it_is_a_test(user: User, receiver: Receiver) -> None:
    receiver.secret = user.registered["webhook_secret"]
    found = await send(user, await path_of(user, receiver.url))
    assert (found["outcome"], found["http_status"]) == ("success", 200)
    assert receiver.unverified == []
    body = receiver.bodies[found["delivery_id"]]
    assert (body["type"], body["test"]) == ("trigger.fired", True)
    assert found["request"]["headers"]["X-AgentAuri-Test"] == "true"


async def test_sample_is_of_the_registry_and_the_chain_of_the_trigger(user: User, receiver: Receiver) -> None:
    found = await send(user, await path_of(user, receiver.url, {"registry": "identity", "chain_id": 84532}))
    event = found["event"]
    assert (event["registry"], event["event_type"], event["chain_id"]) == ("identity", "Registered", 84532)


async def test_template_is_filled_in_with_the_sample(user: User, bad: Misbehaving) -> None:
    template = {"who": "{{agent_id}}", "score": "{{score}}"}
    await send(user, await path_of(user, bad.url("/ok"), body_template=template))
    assert bad.requests[-1].endswith(b'{"who":42,"score":59.5}')


async def test_nothing_is_recorded(user: User, receiver: Receiver, pool: Pool) -> None:
    await send(user, await path_of(user, receiver.url))
    for table in ("deliveries", "delivery_attempts"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # all organizations: there must be none


async def test_secrets_do_not_come_back(user: User, bad: Misbehaving) -> None:
    headers = {"Authorization": "Bearer do-not-tell"}
    answer = await user.call("POST", await path_of(user, bad.url("/ok"), headers=headers))
    assert b"Authorization: Bearer do-not-tell" in bad.requests[-1]
    assert "do-not-tell" not in answer.text
    assert answer.json()["data"]["request"]["headers"]["Authorization"] == MASK


@pytest.mark.parametrize(("path", "outcome", "status"), [("/410", "http", 410), ("/reset", "connect", None)])
async def test_failure_is_told_and_changes_nothing(
    user: User, bad: Misbehaving, path: str, outcome: str, status: int | None
) -> None:
    route = await path_of(user, bad.url(path))
    found = await send(user, route)
    assert (found["outcome"], found["http_status"]) == (outcome, status)
    assert found["error_message"]
    action = (await user.call("GET", route.removesuffix("/send-test"))).json()["data"]
    assert action["enabled"] is True


async def test_receiver_that_hangs_holds_no_connection_to_the_database(
    database: str, redis_url: str, bad: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "MAX_SECONDS", 1.0)
    async with running(settings_for(database, redis_url)) as api:
        user = await api.register()
        waiting = asyncio.create_task(send(user, await path_of(user, bad.url("/hang"), timeout_seconds=60)))
        await eventually(lambda: bad.seen["/hang"] == 1)
        pool = api.app.state.context.pool
        assert pool.get_idle_size() == pool.get_size()
        assert (await waiting)["outcome"] == "timeout"


async def test_more_at_once_than_may_be_are_refused(
    user: User, bad: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "AT_ONCE", 1)
    route = await path_of(user, bad.url("/hang"), timeout_seconds=1)
    waiting = asyncio.create_task(send(user, route))
    await eventually(lambda: bad.seen["/hang"] == 1)
    refused = await user.call("POST", route)
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    await waiting


async def test_address_that_is_not_public_is_blocked(database: str, redis_url: str, bad: Misbehaving) -> None:
    async with running(settings_for(database, redis_url, outbound={"allowed_networks": []})) as api:
        user = await api.register()
        found = await send(user, await path_of(user, bad.url("/ok")))
        assert found["outcome"] == "blocked"
        assert bad.connections == 0


async def test_tests_are_counted_apart_from_other_requests(database: str, redis_url: str, bad: Misbehaving) -> None:
    async with running(settings_for(database, redis_url, rate_limits={"mode": "enforce"})) as api:
        user = await api.register()
        route = await path_of(user, bad.url("/ok"))
        answers: list[httpx2.Response] = [await user.call("POST", route) for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert (await user.call("GET", "/triggers")).status_code == 200


async def test_paused_organization_sends_nothing(user: User, bad: Misbehaving) -> None:
    route = await path_of(user, bad.url("/ok"))
    await user.call("POST", f"/organizations/{user.organization_id}/pause")
    answer = await user.call("POST", route)
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert bad.connections == 0


async def test_unknown_and_foreign_actions_are_not_found(user: User, bad: Misbehaving) -> None:
    route = await path_of(user, bad.url("/ok"))
    trigger = route.split("/actions/")[0]
    assert (await user.call("POST", f"{trigger}/actions/{uuid4()}/send-test")).status_code == 404
    assert (await user.call("POST", f"/triggers/{uuid4()}/actions/{uuid4()}/send-test")).status_code == 404


async def test_viewer_may_not_send(api: Api, bad: Misbehaving) -> None:
    team = await make_team(api)
    headers = {"X-Organization-ID": team.id}
    action = {"action_type": "rest", "config": {"url": bad.url("/ok")}}
    body = {"name": "x", "match_all": True, "actions": [action]}
    made = (await team.member.call("POST", "/triggers", json=body, headers=headers)).json()["data"]
    route = f"/triggers/{made['id']}/actions/{made['actions'][0]['id']}/send-test"
    assert (await team.viewer.call("POST", route, headers=headers)).status_code == 403
    assert (await team.member.call("POST", route, headers=headers)).status_code == 200
