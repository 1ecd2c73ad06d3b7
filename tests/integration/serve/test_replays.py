"""Sending again, cancelling and discarding over HTTP: what is asked for, and nothing else (protocol P25)."""

from typing import Any

import pytest

from agentauri.actors import handles
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.test_deliveries import insert
from tests.integration.serve.test_triggers import ACTIONS, create
from tests.support.waiting import eventually

SET = """
    UPDATE deliveries SET status_code = $2, status_reason = $3, attempt_count = 8 WHERE id = $1"""


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    lanes: list[list[str]] = []

    async def ring(found: list[str]) -> None:
        lanes.append(found)

    monkeypatch.setattr(handles, "ring_deliverers", ring)
    return lanes


async def made(pool: Pool, user: User, *statuses: str, trigger: Any = None) -> tuple[dict[str, Any], list[str]]:
    trigger = trigger or await create(user)
    place = {"trigger": trigger["id"], "action": trigger["actions"][0]["id"]}
    ids = [await insert(pool, user, status=status, hours=9 - number, **place) for number, status in enumerate(statuses)]
    await pool.execute(
        "UPDATE deliveries SET status_code = 'attempts_spent', status_reason = 'refused', attempt_count = 8"
    )
    return trigger, ids


async def statuses(pool: Pool, ids: list[str]) -> list[str]:
    found = dict(map(tuple, await pool.fetch("SELECT id::text, status FROM deliveries")))
    return [found[id_] for id_ in ids]


@pytest.mark.parametrize("status", ["dead", "suppressed", "cancelled"])
async def test_p25_one_delivery_is_queued_again_and_its_deliverer_rung(
    user: User, pool: Pool, rung: list[list[str]], status: str
) -> None:
    _, (id_,) = await made(pool, user, status)
    answer = await user.call("POST", f"/deliveries/{id_}/replay")
    data = answer.json()["data"]
    assert (answer.status_code, data["id"], data["status"], data["attempt_count"]) == (200, id_, "pending", 8)
    assert (data["status_code"], data["status_reason"]) == (None, None)
    assert tuple(await pool.fetchrow("SELECT attempt_base, lane FROM deliveries") or ()) == (8, "host:example.com")
    assert await eventually(lambda: rung) == [["host:example.com"]]


@pytest.mark.parametrize("status", ["pending", "delivering", "retrying", "delivered", "held"])
async def test_delivery_that_is_not_over_without_success_is_not_queued_again(
    user: User, pool: Pool, rung: list[list[str]], status: str
) -> None:
    _, (id_,) = await made(pool, user, status)
    answer = await user.call("POST", f"/deliveries/{id_}/replay")
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")
    assert status in answer.json()["detail"]
    assert (await statuses(pool, [id_]), rung) == ([status], [])


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM trigger_actions", "deleted"),
        ("UPDATE trigger_actions SET enabled = false", "disabled"),
        ("UPDATE deliveries SET retracted = true", "reorganisation"),
    ],
)
async def test_p25_what_cannot_be_sent_is_refused_with_the_reason(user: User, pool: Pool, sql: str, said: str) -> None:
    _, (id_,) = await made(pool, user, "dead")
    await pool.execute(sql)
    answer = await user.call("POST", f"/deliveries/{id_}/replay")
    assert answer.status_code == 409
    assert said in answer.json()["detail"]
    assert (await user.call("POST", "/deliveries/replay", json={})).json()["data"]["replayed"] == 0


async def test_replay_by_filter_takes_the_dead_ones_only_unless_asked(user: User, pool: Pool) -> None:
    _, ids = await made(pool, user, "dead", "suppressed", "cancelled", "delivered", "retrying")
    answer = await user.call("POST", "/deliveries/replay", json={})
    assert answer.json()["data"] == {"replayed": 1, "has_more": False}
    assert await statuses(pool, ids) == ["pending", "suppressed", "cancelled", "delivered", "retrying"]
    asked = await user.call("POST", "/deliveries/replay", json={"statuses": ["suppressed", "cancelled"]})
    assert asked.json()["data"]["replayed"] == 2
    assert await statuses(pool, ids) == ["pending", "pending", "pending", "delivered", "retrying"]


async def test_replay_by_filter_narrows_as_it_says(user: User, pool: Pool) -> None:
    first, (old, new) = await made(pool, user, "dead", "dead")
    second, (other,) = await made(pool, user, "dead")
    await pool.execute(SET, new, "failed_finally", "404 100% not found")
    times = dict(map(tuple, await pool.fetch("SELECT id::text, created_at FROM deliveries")))
    filters: list[tuple[dict[str, Any], list[str]]] = [
        ({"trigger_id": first["id"]}, [old, new]),
        ({"action_id": second["actions"][0]["id"]}, [other]),
        ({"from": times[new].isoformat()}, [new]),
        ({"to": times[new].isoformat(), "trigger_id": first["id"]}, [old]),
        ({"status_code": "failed_finally"}, [new]),
        ({"error": "100% NOT"}, [new]),
        ({"error": "100_"}, []),
    ]
    for body, wanted in filters:
        answer = await user.call("POST", "/deliveries/replay", json=body)
        assert answer.json()["data"]["replayed"] == len(wanted), body
        found = await pool.fetch("SELECT id::text FROM deliveries WHERE status = 'pending'")
        assert {row[0] for row in found} == set(wanted), body
        await pool.execute(
            "UPDATE deliveries SET status = 'dead', status_code = 'attempts_spent', status_reason = 'refused'"
        )
        await pool.execute(SET, new, "failed_finally", "404 100% not found")


async def test_replay_by_filter_is_bounded_and_goes_on_from_the_oldest(user: User, pool: Pool) -> None:
    _, ids = await made(pool, user, *["dead"] * 5)
    counts = []
    for _ in range(3):
        counts.append((await user.call("POST", "/deliveries/replay", json={"limit": 2})).json()["data"])
        if len(counts) == 1:
            assert await statuses(pool, ids) == ["pending", "pending", "dead", "dead", "dead"]
    assert [one["replayed"] for one in counts] == [2, 2, 1]
    assert [one["has_more"] for one in counts] == [True, True, False]


async def test_same_replay_again_is_answered_and_not_done(user: User, pool: Pool) -> None:
    _, (id_,) = await made(pool, user, "dead")
    headers = {"Idempotency-Key": "k"}
    first = await user.call("POST", f"/deliveries/{id_}/replay", headers=headers)
    await pool.execute("UPDATE deliveries SET status = 'dead'")
    again = await user.call("POST", f"/deliveries/{id_}/replay", headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert await statuses(pool, [id_]) == ["dead"]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"statuses": ["delivered"]}, "/statuses"),
    ({"statuses": []}, "/statuses"),
    ({"limit": 0}, "/limit"),
    ({"limit": 1001}, "/limit"),
    ({"error": ""}, "/error"),
    ({"trigger_id": "x"}, "/trigger_id"),
    ({"since": "2026-01-01T00:00:00Z"}, "/since"),
    ({"from": "2026-01-01"}, "/from"),
]


async def test_replay_filter_that_cannot_be_is_refused(user: User) -> None:
    for body, pointer in BAD:
        answer = await user.call("POST", "/deliveries/replay", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["errors"][0]["pointer"].startswith(pointer), (body, answer.text)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("pending", "cancelled_by_user"),
        ("retrying", "cancelled_by_user"),
        ("held", "discarded"),
        ("dead", "discarded"),
        ("suppressed", "discarded"),
    ],
)
async def test_cancelled_delivery_says_how_it_came_to_that(user: User, pool: Pool, status: str, code: str) -> None:
    _, (id_,) = await made(pool, user, status)
    data = (await user.call("POST", f"/deliveries/{id_}/cancel")).json()["data"]
    assert (data["status"], data["status_code"]) == ("cancelled", code)
    assert data["status_reason"]


@pytest.mark.parametrize("status", ["delivering", "delivered", "cancelled"])
async def test_delivery_under_way_or_over_is_not_cancelled(user: User, pool: Pool, status: str) -> None:
    _, (id_,) = await made(pool, user, status)
    assert (await user.call("POST", f"/deliveries/{id_}/cancel")).status_code == 409


async def test_anothers_deliveries_are_left_alone(api: Api, user: User, pool: Pool) -> None:
    other = await api.register()
    _, (id_,) = await made(pool, other, "dead")
    for path in (f"/deliveries/{id_}/replay", f"/deliveries/{id_}/cancel"):
        assert (await user.call("POST", path)).status_code == 404
    assert (await user.call("POST", "/deliveries/replay", json={})).json()["data"]["replayed"] == 0
    assert await statuses(pool, [id_]) == ["dead"]


async def test_viewer_sends_nothing_again(user: User, pool: Pool) -> None:
    await create(user, actions=ACTIONS)
    await pool.execute("UPDATE members SET role = 'viewer'")
    assert (await user.call("POST", "/deliveries/replay", json={})).status_code == 403


async def test_whoever_sends_again_or_cancels_is_on_record(user: User, pool: Pool, rung: list[list[str]]) -> None:
    _, (first, second, third) = await made(pool, user, "dead", "dead", "cancelled")
    await user.call("POST", f"/deliveries/{first}/cancel")
    await user.call("POST", f"/deliveries/{first}/cancel")
    await user.call("POST", f"/deliveries/{third}/replay")
    await user.call("POST", "/deliveries/replay", json={})
    await user.call("POST", "/deliveries/replay", json={})
    entries = (await user.call("GET", f"/organizations/{user.organization_id}/audit")).json()["data"]
    assert [(entry["action"], entry["target"], entry["details"]) for entry in reversed(entries)] == [
        ("delivery.cancelled", f"delivery:{first}", {}),
        ("delivery.replayed", f"delivery:{third}", {}),
        ("delivery.replayed", f"organization:{user.organization_id}", {"count": 1}),
    ]
    assert await statuses(pool, [second]) == ["pending"]
