"""Conditions and actions of a trigger one by one: each change a version, ids and secrets kept."""

from typing import Any
from uuid import uuid4

import pytest

from agentauri.models.action import MASK
from agentauri.models.trigger import TriggerDefinition
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.test_triggers import ACTIONS, CONDITIONS, DELIVERY_SQL, create, versions
from tests.support.waiting import eventually

EMA = {
    "condition_type": "ema_threshold", "operator": "<", "value": 70, "config": {"window_size": 5},
}  # fmt: skip
NEW = {"conditions": EMA, "actions": {"action_type": "rest", "config": {"url": "https://example.org/other"}}}
CHANGE = {"conditions": {"value": "41"}, "actions": {"priority": 7}}
KINDS = ["conditions", "actions"]


async def definition(pool: Pool, trigger_id: str) -> TriggerDefinition:
    return TriggerDefinition.from_json((await versions(pool, trigger_id))[-1])


@pytest.mark.parametrize("kind", KINDS)
async def test_parts_are_those_of_the_trigger(user: User, kind: str) -> None:
    made = await create(user)
    path = f"/triggers/{made['id']}/{kind}"
    listed = (await user.call("GET", path)).json()
    assert listed["data"] == made[kind]
    assert listed["pagination"]["total"] == len(made[kind])
    for one in made[kind]:
        assert (await user.call("GET", f"{path}/{one['id']}")).json()["data"] == one
    page = (await user.call("GET", f"{path}?limit=1&offset=1")).json()
    assert page["data"] == made[kind][1:2]


@pytest.mark.parametrize("kind", KINDS)
async def test_p07_each_change_of_a_part_is_a_version_of_the_trigger(user: User, pool: Pool, kind: str) -> None:
    made = await create(user, match_all=True)
    path, first = f"/triggers/{made['id']}/{kind}", made[kind][0]["id"]
    added = (await user.call("POST", path, json=NEW[kind])).json()["data"]
    changed = (await user.call("PATCH", f"{path}/{first}", json=CHANGE[kind])).json()["data"]
    await user.call("PATCH", f"{path}/{first}", json={})
    assert (await user.call("DELETE", f"{path}/{added['id']}")).status_code == 204
    assert changed["id"] == first
    stored = [TriggerDefinition.from_json(one) for one in await versions(pool, made["id"])]
    sizes = [len(getattr(one, kind)) for one in stored]
    assert sizes == [len(made[kind]), len(made[kind]) + 1, len(made[kind]) + 1, len(made[kind])]
    assert [str(one.id) for one in getattr(stored[-1], kind)] == [one["id"] for one in made[kind]]


async def test_other_conditions_keep_their_ids_and_the_trigger_learns_what_it_is(user: User, pool: Pool) -> None:
    made = await create(user)
    path = f"/triggers/{made['id']}/conditions"
    added = (await user.call("POST", path, json={**EMA, "id": made["conditions"][0]["id"]})).json()["data"]
    trigger = (await user.call("GET", f"/triggers/{made['id']}")).json()["data"]
    assert trigger["conditions"] == [*made["conditions"], added]
    assert trigger["is_stateful"] is True
    assert trigger["cost_class"] in ("indexed", "prefix", "threshold", "scanned")
    assert added["id"] != made["conditions"][0]["id"]


async def test_whole_answers_can_be_sent_back(user: User) -> None:
    made = await create(user)
    for kind in KINDS:
        for one in made[kind]:
            answer = await user.call("PATCH", f"/triggers/{made['id']}/{kind}/{one['id']}", json=one)
            assert (answer.status_code, answer.json()["data"]) == (200, one)


async def test_secrets_of_all_actions_stay_whichever_is_changed(user: User, pool: Pool) -> None:
    made = await create(user, actions=[*ACTIONS, *ACTIONS])
    path = f"/triggers/{made['id']}/actions"
    await user.call("POST", path, json=NEW["actions"])
    config = made["actions"][0]["config"] | {"url": "https://example.org/moved"}
    answer = await user.call("PATCH", f"{path}/{made['actions'][0]['id']}", json={"config": config})
    assert answer.json()["data"]["config"]["headers"]["Authorization"] == MASK
    context = "SELECT count(*) FROM trigger_actions WHERE config -> 'headers' ->> 'Authorization' LIKE $1"
    assert await pool.fetchval(context, f"%{MASK}%") == 0
    refused = await user.call("POST", path, json={"action_type": "rest", "config": config})
    assert refused.json()["errors"][0]["pointer"] == "/config/headers/Authorization"


async def test_deleted_action_cancels_what_waits_for_it_alone(user: User, pool: Pool) -> None:
    made = await create(user, actions=[*ACTIONS, *ACTIONS])
    gone, kept = made["actions"]
    for action in (gone, kept):
        await pool.execute(DELIVERY_SQL, user.organization_id, made["id"], action["id"], "pending", None)
    await user.call("DELETE", f"/triggers/{made['id']}/actions/{gone['id']}")
    rows = await pool.fetch("SELECT action_id::text, status FROM deliveries")
    assert dict(map(tuple, rows)) == {gone["id"]: "cancelled", kept["id"]: "pending"}


async def test_disabled_action_is_off_in_the_next_version(user: User, pool: Pool) -> None:
    made = await create(user)
    await user.call("PATCH", f"/triggers/{made['id']}/actions/{made['actions'][0]['id']}", json={"enabled": False})
    assert [action.enabled for action in (await definition(pool, made["id"])).actions] == [False]


async def test_last_condition_stays_unless_every_event_is_meant(user: User) -> None:
    made = await create(user, conditions=CONDITIONS[:1])
    path = f"/triggers/{made['id']}/conditions/{made['conditions'][0]['id']}"
    assert (await user.call("DELETE", path)).json()["error"] == "conflict"
    await user.call("PATCH", f"/triggers/{made['id']}", json={"match_all": True})
    assert (await user.call("DELETE", path)).status_code == 204


async def test_condition_that_the_trigger_needs_stays(user: User) -> None:
    made = await create(user, conditions=[*CONDITIONS, EMA], fire="on_change")
    answer = await user.call("DELETE", f"/triggers/{made['id']}/conditions/{made['conditions'][2]['id']}")
    assert answer.status_code == 409
    assert "on_change" in answer.json()["detail"]


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("conditions", {**EMA, "operator": "~"}, "/operator"),
    ("conditions", {**EMA, "config": {"window_size": 0}}, "/config/window_size"),
    ("conditions", {**EMA, "valu": 1}, "/valu"),
    ("conditions", {**EMA, "condition_type": "x"}, "/condition_type"),
    ("conditions", {"field": "a\0"}, "/field"),
    ("actions", {"action_type": "rest", "config": {}}, "/config/url"),
    ("actions", {"action_type": "rest", "config": {"url": "https://example.com", "x": 1}}, "/config/x"),
    ("actions", {"action_type": "fax", "config": {"url": "https://example.com"}}, "/action_type"),
    ("actions", {"action_type": "rest", "priority": 101, "config": {"url": "https://example.com"}}, "/priority"),
]


async def test_mistakes_are_told_where_they_stand_in_what_was_sent(user: User) -> None:
    made = await create(user)
    for kind, body, pointer in MISTAKES:
        paths = [("POST", ""), ("PATCH", f"/{made[kind][0]['id']}")]
        for method, suffix in paths:
            answer = await user.call(method, f"/triggers/{made['id']}/{kind}{suffix}", json=body)
            assert answer.status_code == 400, (method, body)
            assert pointer in [one["pointer"] for one in answer.json()["errors"]], (method, body, answer.text)
    assert (await user.call("GET", f"/triggers/{made['id']}")).json()["data"] == made


@pytest.mark.parametrize("kind", KINDS)
async def test_parts_of_another_trigger_or_organization_are_not_found(
    api: Api, user: User, pool: Pool, kind: str
) -> None:
    mine, second = await create(user), await create(user)
    theirs = await create(await api.register())
    for trigger, part in [(theirs, theirs), (mine, theirs), (mine, second)]:
        path = f"/triggers/{trigger['id']}/{kind}"
        calls: list[tuple[str, str, Any]] = [
            ("GET", f"/{part[kind][0]['id']}", None),
            ("PATCH", f"/{part[kind][0]['id']}", CHANGE[kind]),
            ("DELETE", f"/{part[kind][0]['id']}", None),
        ]
        if trigger is theirs:
            calls += [("GET", "", None), ("POST", "", NEW[kind])]
        for method, suffix, body in calls:
            more = {} if body is None else {"json": body}
            assert (await user.call(method, path + suffix, **more)).status_code == 404, (method, suffix)
        assert len(await versions(pool, trigger["id"])) == 1


async def test_unknown_and_malformed_ids_of_parts(user: User) -> None:
    made = await create(user)
    for kind in KINDS:
        for id_, status in [(str(uuid4()), 404), ("x", 400)]:
            assert (await user.call("GET", f"/triggers/{made['id']}/{kind}/{id_}")).status_code == status


async def test_same_request_to_add_adds_once(user: User) -> None:
    made = await create(user)
    path, headers = f"/triggers/{made['id']}/actions", {"Idempotency-Key": "k"}
    first, second = [await user.call("POST", path, json=NEW["actions"], headers=headers) for _ in range(2)]
    assert (first.json(), second.headers["idempotent-replayed"]) == (second.json(), "true")
    assert (await user.call("GET", path)).json()["pagination"]["total"] == 2


async def test_viewer_reads_parts_and_does_not_write(user: User, pool: Pool) -> None:
    made = await create(user)
    await pool.execute("UPDATE members SET role = 'viewer'")

    async def noticed() -> bool:
        return (await user.call("PATCH", f"/triggers/{made['id']}", json={})).status_code == 403

    await eventually(noticed)
    for kind in KINDS:
        path = f"/triggers/{made['id']}/{kind}"
        assert (await user.call("POST", path, json=NEW[kind])).status_code == 403
        assert (await user.call("GET", path)).status_code == 200
