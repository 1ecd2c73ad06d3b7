"""Triggers over HTTP: every route, the version that each change leaves in the log, and the walls between tenants."""

import json
from typing import Any
from uuid import uuid4

from agentauri.models.action import MASK
from agentauri.models.trigger import TriggerDefinition
from agentauri.store.action_secrets import open_config
from agentauri.store.database import Pool
from agentauri.store.vault import Vault
from tests.integration.serve.conftest import SECRET_KEY, Api, User

CONDITIONS = [
    {"condition_type": "agent_id_equals", "field": "agent_id", "operator": "=", "value": "42"},
    {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": "59.5"},
]
ACTIONS = [
    {
        "action_type": "rest",
        "priority": 1,
        "config": {"url": "https://example.com/hook", "headers": {"Authorization": "Bearer s3cr3t", "X-Plain": "yes"}},
    }
]
TRIGGER: dict[str, Any] = {
    "name": "Low score",
    "chain_id": 84532,
    "registry": "reputation",
    "conditions": CONDITIONS,
    "actions": ACTIONS,
}
DELIVERY_SQL = """
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane,
        status, status_code, context)
    VALUES (gen_random_uuid(), $1, $2, $3, gen_random_uuid(), 1, 'rest', 'd', 'l', $4, $5, '{}')"""


async def create(user: User, **more: Any) -> dict[str, Any]:
    answer = await user.call("POST", "/triggers", json={**TRIGGER, **more})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def versions(pool: Pool, trigger_id: str) -> list[Any]:
    rows = await pool.fetch(
        "SELECT definition FROM trigger_versions WHERE trigger_id = $1 ORDER BY from_seq", trigger_id
    )
    return [row["definition"] for row in rows]


async def test_what_creating_answers_is_what_is_read_afterwards(user: User) -> None:
    hook = {
        "action_type": "rest",
        "config": {"url": "https://example.com/hook", "headers": {"Authorization": "s3cr3t"}},
    }
    made = await create(
        user,
        conditions=[
            {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": "1e16"},
            {"condition_type": "score_threshold", "field": "score", "operator": ">", "value": "-0.50"},
            {"condition_type": "tag_equals", "field": "tag1", "operator": "in", "value": ["é", "x"]},
            {"condition_type": "group", "config": {"mode": "none", "conditions": CONDITIONS}},
            {
                "condition_type": "ema_threshold",
                "field": "score",
                "operator": "<",
                "value": 70,
                "config": {"window_size": 5},
            },
        ],
        actions=[{**hook, "priority": 9}, {**hook, "priority": 2, "enabled": False}, hook, {**hook, "priority": 2}],
    )
    assert [one["priority"] for one in made["actions"]] == [0, 2, 2, 9]
    assert sum(one["disabled_at"] is not None for one in made["actions"]) == 1
    assert (await user.call("GET", f"/triggers/{made['id']}")).json()["data"] == made


async def test_a_new_trigger_comes_back_typed_and_masked(user: User) -> None:
    made = await create(user)
    assert made["conditions"][0]["value"] == 42
    assert made["conditions"][1]["value"] == 59.5
    assert made["actions"][0]["config"]["headers"] == {"Authorization": MASK, "X-Plain": "yes"}
    assert made["organization_id"] == user.organization_id
    assert (await user.call("GET", f"/triggers/{made['id']}")).json()["data"] == made
    listed = (await user.call("GET", "/triggers")).json()
    assert listed == {"data": [made], "pagination": {"total": 1, "limit": 20, "offset": 0, "has_more": False}}


async def test_p07_each_change_writes_a_version_and_an_off_trigger_a_null_one(user: User, pool: Pool) -> None:
    made = await create(user)
    path = f"/triggers/{made['id']}"
    await user.call("PATCH", path, json={"name": "Lower score", "conditions": made["conditions"][:1]})
    await user.call("POST", f"{path}/disable")
    await user.call("POST", f"{path}/disable")
    await user.call("POST", f"{path}/enable")
    await user.call("PATCH", path, json={})
    await user.call("DELETE", path)
    created, changed, off, on, gone = await versions(pool, made["id"])
    assert off is None
    assert gone is None
    assert changed == on
    first, second = TriggerDefinition.from_json(created), TriggerDefinition.from_json(changed)
    assert (first.name, len(first.conditions)) == ("Low score", 2)
    assert (second.name, len(second.conditions)) == ("Lower score", 1)
    assert second.conditions[0].id == first.conditions[0].id
    assert [str(action.id) for action in second.actions] == [made["actions"][0]["id"]]


async def test_secrets_rest_sealed_and_a_masked_one_sent_back_stays(user: User, pool: Pool) -> None:
    made = await create(user)
    action = made["actions"][0]
    stored = await pool.fetchval("SELECT config FROM trigger_actions WHERE id = $1", action["id"])
    assert "s3cr3t" not in json.dumps(stored)
    action["config"]["url"] = "https://example.org/hook"
    answer = await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": [action]})
    assert answer.status_code == 200, answer.text
    row = await pool.fetchrow("SELECT config, destination, lane FROM trigger_actions WHERE id = $1", action["id"])
    assert row is not None
    opened = open_config(Vault(SECRET_KEY), (await pool.fetchval("SELECT $1::uuid", action["id"])), row["config"])
    assert opened["headers"]["Authorization"] == "Bearer s3cr3t"
    assert row["lane"] == "host:example.org"


async def test_a_masked_secret_of_a_new_action_is_refused_where_it_stands(user: User) -> None:
    config = {"url": "https://example.com", "headers": {"Authorization": MASK}}
    answer = await user.call(
        "POST", "/triggers", json={**TRIGGER, "actions": [{"action_type": "rest", "config": config}]}
    )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/actions/0/config/headers/Authorization"


async def test_actions_left_out_are_deleted_and_their_waiting_deliveries_cancelled(user: User, pool: Pool) -> None:
    made = await create(user, actions=[*ACTIONS, *ACTIONS])
    kept, gone = made["actions"]
    for action in (kept, gone):
        await pool.execute(DELIVERY_SQL, user.organization_id, made["id"], action["id"], "pending", None)
    answer = await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": [kept]})
    assert [one["id"] for one in answer.json()["data"]["actions"]] == [kept["id"]]
    rows = await pool.fetch("SELECT action_id::text, status, status_code, status_reason FROM deliveries")
    found = {row["action_id"]: row["status"] for row in rows}
    assert found == {kept["id"]: "pending", gone["id"]: "cancelled"}
    assert all(row["status_code"] and row["status_reason"] for row in rows if row["status"] == "cancelled")


async def test_p23_an_edited_destination_moves_the_waiting_deliveries(user: User, pool: Pool) -> None:
    made = await create(user)
    action = made["actions"][0]
    await pool.execute(DELIVERY_SQL, user.organization_id, made["id"], action["id"], "retrying", None)
    action["config"]["url"] = "https://elsewhere.example/hook"
    await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": [action]})
    assert await pool.fetchval("SELECT lane FROM deliveries") == "host:elsewhere.example"


async def test_enabling_an_action_that_the_system_disabled_releases_what_was_held(user: User, pool: Pool) -> None:
    made = await create(user)
    action = made["actions"][0]
    await pool.execute("UPDATE trigger_actions SET enabled = false, disabled_by = 'system', disabled_reason = '410'")
    await pool.execute(DELIVERY_SQL, user.organization_id, made["id"], action["id"], "held", "action_disabled")
    shown = (await user.call("GET", f"/triggers/{made['id']}")).json()["data"]["actions"][0]
    assert (shown["enabled"], shown["disabled_by"], shown["disabled_reason"]) == (False, "system", "410")
    unchanged = (await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": [shown]})).json()["data"]
    assert unchanged["actions"][0]["disabled_by"] == "system"
    shown["enabled"] = True
    enabled = await user.call("PATCH", f"/triggers/{made['id']}", json={"actions": [shown]})
    assert enabled.json()["data"]["actions"][0]["disabled_by"] is None
    assert await pool.fetchval("SELECT status FROM deliveries") == "pending"


async def test_deleting_a_trigger_cancels_what_waits_and_keeps_what_was_delivered(user: User, pool: Pool) -> None:
    made = await create(user)
    for status in ("pending", "delivered"):
        await pool.execute(DELIVERY_SQL, user.organization_id, made["id"], made["actions"][0]["id"], status, None)
    assert (await user.call("DELETE", f"/triggers/{made['id']}")).status_code == 204
    assert (await user.call("GET", f"/triggers/{made['id']}")).status_code == 404
    rows = await pool.fetch("SELECT status FROM deliveries ORDER BY status")
    assert [row["status"] for row in rows] == ["cancelled", "delivered"]


async def test_a_whole_answer_can_be_sent_back(user: User) -> None:
    made = await create(user)
    answer = await user.call("PATCH", f"/triggers/{made['id']}", json=made)
    assert answer.status_code == 200, answer.text
    again = answer.json()["data"]
    assert {**again, "updated_at": None} == {**made, "updated_at": None}


async def test_null_clears_what_may_be_null(user: User) -> None:
    made = await create(user)
    changed = await user.call("PATCH", f"/triggers/{made['id']}", json={"chain_id": None, "registry": None})
    assert (changed.json()["data"]["chain_id"], changed.json()["data"]["registry"]) == (None, None)
    assert (await user.call("PATCH", f"/triggers/{made['id']}", json={"name": None})).status_code == 400


async def test_lists_are_filtered_and_counted(user: User) -> None:
    await create(user, name="a", chain_id=1)
    await create(user, name="b", chain_id=2, registry="identity")
    await create(user, name="c", chain_id=2, enabled=False)
    for query, names, total in [
        ("", ["c", "b", "a"], 3),
        ("?chain_id=1", ["a"], 1),
        ("?registry=identity", ["b"], 1),
        ("?enabled=false", ["c"], 1),
        ("?search=%25", [], 0),
        ("?search=B", ["b"], 1),
        ("?limit=1&offset=1", ["b"], 3),
        ("?offset=7", [], 3),
    ]:
        body = (await user.call("GET", f"/triggers{query}")).json()
        assert [one["name"] for one in body["data"]] == names, query
        assert body["pagination"]["total"] == total, query


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "/name"),
    ({"nam": "x"}, "/nam"),
    ({"chain_id": "1"}, "/chain_id"),
    ({"chain_id": 2**63}, "/chain_id"),
    ({"registry": "other"}, "/registry"),
    ({"cooldown_seconds": -1}, "/cooldown_seconds"),
    ({"conditions": []}, "/conditions"),
    ({"fire": "on_change"}, "/fire"),
    ({"conditions": [{**CONDITIONS[0], "operator": "~"}]}, "/conditions/0/operator"),
    ({"conditions": [{**CONDITIONS[0], "valu": 1}]}, "/conditions/0/valu"),
    ({"actions": [{"action_type": "rest", "config": {}}]}, "/actions/0/config/url"),
    ({"actions": [{"action_type": "fax", "config": {}}]}, "/actions/0/action_type"),
    ({"name": "a\0b"}, "/name"),
    ({"name": "\ud800"}, "/name"),
]


async def test_what_is_wrong_is_named_by_its_place(user: User) -> None:
    for sent, pointer in MISTAKES:
        content = json.dumps({**TRIGGER, **sent})
        answer = await user.call("POST", "/triggers", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text
        body = answer.json()
        assert body["error"] == "invalid_request"
        assert body["errors"][0]["pointer"] == pointer
        assert pointer in body["detail"]


async def test_the_biggest_agent_id_stays_exact(user: User, pool: Pool) -> None:
    biggest = 2**256 - 1
    conditions = [{"condition_type": "agent_id_equals", "operator": "in", "value": [biggest, 0]}]
    made = await create(user, conditions=conditions)
    assert made["conditions"][0]["value"] == [str(biggest), 0]
    (definition,) = await versions(pool, made["id"])
    assert TriggerDefinition.from_json(definition).conditions[0].value == (biggest, 0)


async def test_ids_of_another_trigger_are_not_taken_over(api: Api, user: User, pool: Pool) -> None:
    theirs = await create(await api.register())
    mine = await create(user, conditions=theirs["conditions"], actions=ACTIONS)
    assert mine["conditions"][0]["id"] != theirs["conditions"][0]["id"]
    stolen = [{**ACTIONS[0], "id": theirs["actions"][0]["id"]}]
    changed = await user.call("PATCH", f"/triggers/{mine['id']}", json={"actions": stolen})
    assert changed.json()["data"]["actions"][0]["id"] != theirs["actions"][0]["id"]
    assert await pool.fetchval("SELECT count(*) FROM trigger_actions WHERE trigger_id = $1", theirs["id"]) == 1


BY_ID = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable")]


async def test_anothers_trigger_is_not_found(api: Api, user: User, pool: Pool) -> None:
    for method, suffix in BY_ID:
        theirs = await create(await api.register())
        more: dict[str, Any] = {"json": {"name": "mine now"}} if method == "PATCH" else {}
        for id_ in (theirs["id"], str(uuid4())):
            answer = await user.call(method, f"/triggers/{id_}{suffix}", **more)
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
        assert len(await versions(pool, theirs["id"])) == 1
        assert (await user.call("GET", "/triggers")).json()["data"] == []


async def test_a_viewer_reads_and_does_not_write(user: User, pool: Pool) -> None:
    made = await create(user)
    await pool.execute("UPDATE members SET role = 'viewer'")
    user.token = (
        await user.call("POST", "/auth/login", json={"email": user.email, "password": "correct-horse-battery-staple"})
    ).json()["data"]["token"]
    assert (await user.call("GET", f"/triggers/{made['id']}")).status_code == 200
    answer = await user.call("DELETE", f"/triggers/{made['id']}")
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert "member" in answer.json()["detail"]


async def test_whoever_changes_switches_or_deletes_a_trigger_is_on_record(user: User) -> None:
    made = await create(user)
    path, condition = f"/triggers/{made['id']}", made["conditions"][0]["id"]
    for method, place, body in [
        ("PATCH", "", {"name": "Lower", "cooldown_seconds": 5}),
        ("PATCH", "", {}),
        ("POST", "/disable", None),
        ("POST", "/disable", None),
        ("PATCH", "", {"enabled": True}),
        ("POST", "/conditions", CONDITIONS[1]),
        ("PATCH", f"/conditions/{condition}", {"value": "43"}),
        ("DELETE", f"/conditions/{condition}", None),
        ("PATCH", "", {"conditions": "x"}),
        ("DELETE", "", None),
    ]:
        await user.call(method, path + place, json=body)
    entries = (await user.call("GET", f"/organizations/{user.organization_id}/audit")).json()["data"]
    found = [(entry["action"], entry["details"]) for entry in reversed(entries)]
    changed = ("trigger.changed", {"fields": ["conditions"]})
    assert found == [
        ("trigger.changed", {"fields": ["cooldown_seconds", "name"]}),
        ("trigger.disabled", {}),
        ("trigger.enabled", {}),
        changed, changed, changed,
        ("trigger.deleted", {"name": "Lower", "created_by": made["created_by"]}),
    ]  # fmt: skip
    assert {(entry["target"], entry["user_id"]) for entry in entries} == {(f"trigger:{made['id']}", made["created_by"])}
