"""The circuit breaker of a trigger over the API."""

from uuid import uuid4

from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from agentauri.store.database import Pool
from tests.integration.serve.conftest import User

CLOSED = {
    "state": "closed",
    "failure_count": 0,
    "opened_at": None,
    "last_failure_at": None,
    "config": {"failure_threshold": 10, "recovery_timeout_seconds": 3600, "half_open_max_calls": 1},
}


async def make_trigger(user: User) -> str:
    answer = await user.call("POST", "/triggers", json=EXAMPLE_TRIGGER)
    assert answer.json()["data"]["circuit_breaker"] == CLOSED
    return str(answer.json()["data"]["id"])


async def test_breaker_of_a_new_trigger_is_closed(user: User) -> None:
    id_ = await make_trigger(user)
    assert (await user.call("GET", f"/triggers/{id_}/circuit-breaker")).json()["data"] == CLOSED


async def test_sent_settings_are_changed_and_others_stay(user: User, pool: Pool) -> None:
    id_ = await make_trigger(user)
    await user.call("PATCH", f"/triggers/{id_}/circuit-breaker", json={"config": {"failure_threshold": 3}})
    answer = await user.call("PATCH", f"/triggers/{id_}/circuit-breaker", json={"half_open_max_calls": 2})
    config = {"failure_threshold": 3, "recovery_timeout_seconds": 3600, "half_open_max_calls": 2}
    assert answer.json()["data"] == {**CLOSED, "config": config}
    assert (await user.call("GET", f"/triggers/{id_}")).json()["data"]["circuit_breaker"] == answer.json()["data"]
    rows = await pool.fetch(
        "SELECT details FROM audit_log WHERE action = 'circuit_breaker.changed' ORDER BY created_at"
    )
    assert [row["details"] for row in rows] == [{"failure_threshold": 3}, {"half_open_max_calls": 2}]


async def test_opened_and_reset_by_hand(user: User, pool: Pool) -> None:
    id_ = await make_trigger(user)
    opened = (await user.call("POST", f"/triggers/{id_}/circuit-breaker/open")).json()["data"]
    assert (opened["state"], opened["failure_count"]) == ("open", 0)
    listed = (await user.call("GET", "/triggers")).json()["data"][0]["circuit_breaker"]
    assert listed == opened
    assert (await user.call("POST", f"/triggers/{id_}/circuit-breaker/reset")).json()["data"] == CLOSED
    rows = await pool.fetch(
        "SELECT action, target FROM audit_log WHERE action LIKE 'circuit_breaker.%' ORDER BY created_at"
    )
    assert [tuple(row) for row in rows] == [
        ("circuit_breaker.opened", f"trigger:{id_}"),
        ("circuit_breaker.reset", f"trigger:{id_}"),
    ]


async def test_settings_out_of_bounds_are_refused(user: User) -> None:
    id_ = await make_trigger(user)
    for body, pointer in (
        ({"failure_threshold": 0}, "/failure_threshold"),
        ({"config": {"recovery_timeout_seconds": 59}}, "/config/recovery_timeout_seconds"),
        ({"half_open_max_calls": "2"}, "/half_open_max_calls"),
        ({"state": "open"}, "/state"),
    ):
        answer = await user.call("PATCH", f"/triggers/{id_}/circuit-breaker", json=body)
        assert answer.status_code == 400
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert (await user.call("GET", f"/triggers/{id_}/circuit-breaker")).json()["data"] == CLOSED


async def test_breaker_of_an_unknown_trigger_is_not_found(user: User) -> None:
    path = f"/triggers/{uuid4()}/circuit-breaker"
    answers = [
        await user.call("GET", path),
        await user.call("PATCH", path, json={}),
        await user.call("POST", f"{path}/open"),
        await user.call("POST", f"{path}/reset"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_it_goes_with_its_trigger(user: User, pool: Pool) -> None:
    id_ = await make_trigger(user)
    await user.call("POST", f"/triggers/{id_}/circuit-breaker/open")
    await user.call("DELETE", f"/triggers/{id_}")
    assert await pool.fetchval("SELECT count(*) FROM trigger_breakers") == 0
