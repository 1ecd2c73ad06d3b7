"""What a trigger remembers, and its reset, over the API; held against an evaluator's own memory."""

from typing import Any
from uuid import uuid4

import pytest

from agentauri.models.event import rfc3339
from agentauri.serve.triggers import past
from agentauri.store.database import Pool
from tests.integration.serve.conftest import User
from tests.support.path import Rig
from tests.support.rows import BLOCK_TIME, feedback, insert_events

EMA = {"condition_type": "ema_threshold", "field": "score", "operator": "<", "value": 70, "config": {"alpha": 0.5}}
RATE = {"condition_type": "rate_limit", "operator": ">", "value": 9, "config": {"time_window": "1h"}}
ABSENCE = {"condition_type": "absence", "config": {"time_window": "1h"}}
HOOK = {"action_type": "rest", "config": {"url": "http://127.0.0.1:9900/hook"}}


async def happen(rig: Rig, *pairs: tuple[int, int], start: int = 0) -> None:
    """Feedback of (agent, score)."""
    rows = [
        feedback(start + number, agent_id=agent, data={"score": str(score)})
        for number, (agent, score) in enumerate(pairs)
    ]
    async with rig.pool.acquire() as connection:
        await insert_events(connection, rows)


def at(seconds: int) -> str:
    return rfc3339(BLOCK_TIME + seconds)


def is_average(value: object) -> bool:
    return isinstance(value, list) and isinstance(value[0], float)


async def evaluate(rig: Rig) -> dict[str, Any]:
    """The evaluator's own memory at the head of the log."""
    evaluator = await rig.start()
    await rig.serve(evaluator)
    state: dict[str, Any] = {}
    for one in evaluator._owned:
        state |= evaluator._engine.dump_partition(one.partition)
    await evaluator.drain()
    return state


async def make_trigger(user: User, **fields: Any) -> str:
    body = {"name": "falling", "conditions": [EMA, RATE], "actions": [HOOK], **fields}
    return str((await user.call("POST", "/triggers", json=body)).json()["data"]["id"])


async def state(user: User, id_: str, query: str = "") -> dict[str, Any]:
    answer = await user.call("GET", f"/triggers/{id_}/state{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_state_is_the_evaluators_by_group_and_names_its_place(user: User, rig: Rig) -> None:
    id_ = await make_trigger(user, cooldown_seconds=60)
    await happen(rig, (10, 90), (2, 40), (10, 50))
    memory = await evaluate(rig)
    shown = await state(user, id_)
    assert shown["as_of"]["seq"] == await rig.head()
    assert [one["group"] for one in shown["data"]] == ["2", "10"]
    averages = [one["conditions"][0]["state"] for one in shown["data"]]
    assert averages == [{"ema": 40.0, "samples": 1}, {"ema": 70.0, "samples": 2}]
    assert sorted(map(list, map(dict.values, averages))) == sorted(v for v in memory.values() if is_average(v))
    rates = [one["conditions"][1]["state"] for one in shown["data"]]
    assert rates == [
        {"count": 1, "oldest": at(1), "newest": at(1)}, {"count": 2, "oldest": at(0), "newest": at(2)},
    ]  # fmt: skip
    assert [one["cooldown"] for one in shown["data"]] == [None, None]


async def test_absence_is_told_by_group_and_chain_with_its_last_event(user: User, rig: Rig) -> None:
    id_ = await make_trigger(user, conditions=[ABSENCE], cooldown_seconds=60)
    rows = [feedback(number, agent_id=7, chain_id=chain) for number, chain in enumerate((84532, 1, 84532))]
    async with rig.pool.acquire() as connection:
        events = await insert_events(connection, rows)
    await evaluate(rig)
    shown = (await state(user, id_, "?group=7"))["data"]
    assert [(one["group"], one["chain_id"]) for one in shown] == [("7", 1), ("7", 84532)]
    assert [one["conditions"][0]["state"] for one in shown] == [
        {"since": at(1), "told": False, "event_id": str(events[1])},
        {"since": at(2), "told": False, "event_id": str(events[2])},
    ]


async def test_events_that_no_evaluator_has_met_are_not_in_it(user: User, rig: Rig) -> None:
    id_ = await make_trigger(user)
    await happen(rig, (1, 90))
    await evaluate(rig)
    before = await state(user, id_)
    await happen(rig, (1, 10), start=1)
    assert await state(user, id_) == before


async def test_groups_are_paged_and_one_can_be_asked_for(user: User, rig: Rig) -> None:
    id_ = await make_trigger(user)
    await happen(rig, *((agent, 90) for agent in range(1, 6)))
    await evaluate(rig)
    page = await state(user, id_, "?limit=2&offset=2")
    assert [one["group"] for one in page["data"]] == ["3", "4"]
    assert page["pagination"] == {"total": 5, "limit": 2, "offset": 2, "has_more": True}
    assert [one["group"] for one in (await state(user, id_, "?group=5"))["data"]] == ["5"]


async def test_reset_begins_state_afresh_at_its_place_in_the_log(user: User, rig: Rig, pool: Pool) -> None:
    id_ = await make_trigger(user, conditions=[EMA], cooldown_seconds=3600)
    await happen(rig, (1, 90), (1, 20))
    answer = await user.call("POST", f"/triggers/{id_}/state/reset")
    assert answer.json()["data"]["seq"] == await rig.head()
    await happen(rig, (1, 60), start=2)
    await evaluate(rig)
    assert (await state(user, id_))["data"][0]["conditions"][0]["state"] == {"ema": 60.0, "samples": 1}
    assert (await state(user, id_))["data"][0]["cooldown"] == at(2)
    rows = await pool.fetch("SELECT context -> 'computed' -> '0' ->> 'ema' FROM deliveries ORDER BY event_seq")
    assert [row[0] for row in rows] == ["55.0", "60.0"]  # the cool-down was forgotten too
    assert await pool.fetchval("SELECT count(*) FROM audit_log WHERE action = 'trigger.state_reset'") == 1


async def test_trigger_that_is_off_remembers_nothing_and_its_reset_writes_no_version(user: User, rig: Rig) -> None:
    id_ = await make_trigger(user)
    await happen(rig, (1, 90))
    await user.call("POST", f"/triggers/{id_}/disable")
    await evaluate(rig)
    head = await rig.head()
    assert (await user.call("POST", f"/triggers/{id_}/state/reset")).json() == {"data": {"seq": None}}
    assert await rig.head() == head
    assert await state(user, id_) | {"pagination": None} == {
        "data": [], "pagination": None, "as_of": {"seq": head, "version_seq": None},
    }  # fmt: skip


async def test_state_too_far_from_a_snapshot_is_unavailable(
    user: User, rig: Rig, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await make_trigger(user)
    await happen(rig, (1, 90), (2, 90))
    await evaluate(rig)
    assert len((await state(user, id_))["data"]) == 2
    await pool.execute("DELETE FROM trigger_state")
    monkeypatch.setattr(past, "MOST_EVENTS", 1)
    assert (await user.call("GET", f"/triggers/{id_}/state")).status_code == 503


async def test_state_of_an_unknown_trigger_is_not_found(user: User) -> None:
    assert (await user.call("GET", f"/triggers/{uuid4()}/state")).status_code == 404
    assert (await user.call("POST", f"/triggers/{uuid4()}/state/reset")).status_code == 404
