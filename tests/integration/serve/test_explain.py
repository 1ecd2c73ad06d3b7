"""Explaining a trigger's outcome over the API, against what an evaluator did."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.serve.triggers import past
from agentauri.store.database import Pool
from tests.integration.serve.conftest import User
from tests.support.path import Rig
from tests.support.rows import feedback, insert_events

EMA = {"condition_type": "ema_threshold", "field": "score", "operator": "<", "value": 70, "config": {"alpha": 0.5}}
HOOK = {"action_type": "rest", "config": {"url": "http://127.0.0.1:9900/hook"}}


async def happen(rig: Rig, *scores: int, start: int = 0, agent_id: int = 1) -> list[UUID]:
    rows = [
        feedback(start + number, agent_id=agent_id, data={"score": str(score)}) for number, score in enumerate(scores)
    ]
    async with rig.pool.acquire() as connection:
        return await insert_events(connection, rows)


async def evaluate(rig: Rig) -> None:
    evaluator = await rig.start()
    await rig.serve(evaluator)
    await evaluator.drain()


async def make_trigger(user: User, **fields: Any) -> dict[str, Any]:
    body = {"name": "falling", "conditions": [EMA], "actions": [HOOK], **fields}
    made: dict[str, Any] = (await user.call("POST", "/triggers", json=body)).json()["data"]
    return made


async def explain(user: User, trigger: dict[str, Any], event: UUID) -> dict[str, Any]:
    answer = await user.call("GET", f"/triggers/{trigger['id']}/explain?event_id={event}")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_every_event_is_explained_as_it_came_out(user: User, rig: Rig, pool: Pool) -> None:
    trigger = await make_trigger(user)
    ids = await happen(rig, 90, 20, 90, 90, 10)
    await happen(rig, 0, 0, start=10, agent_id=2)
    await evaluate(rig)
    fired = {row[0] for row in await pool.fetch("SELECT event_id FROM deliveries")}
    explained = [await explain(user, trigger, id_) for id_ in ids]
    assert [one["result"] == "fired" for one in explained] == [id_ in fired for id_ in ids]
    averages = [one["conditions"][0]["computed"]["ema"] for one in explained]
    assert averages == [90.0, 55.0, 72.5, 81.25, 45.625]
    last = explained[-1]
    assert last["conditions"][0]["state_before"] == {"ema": 81.25, "samples": 4}
    assert (last["group"], last["reason"], last["retracted"]) == ("1", "Every condition held.", False)
    assert [one["status"] for one in last["deliveries"]] == ["pending"]


async def test_version_at_the_events_place_counts(user: User, rig: Rig) -> None:
    trigger = await make_trigger(user)
    (first,) = await happen(rig, 60)
    condition = trigger["conditions"][0] | {"value": 50}
    await user.call("PATCH", f"/triggers/{trigger['id']}", json={"conditions": [condition]})
    (second,) = await happen(rig, 60, start=1)
    await user.call("POST", f"/triggers/{trigger['id']}/disable")
    (third,) = await happen(rig, 60, start=2)
    await user.call("POST", f"/triggers/{trigger['id']}/enable")
    (fourth,) = await happen(rig, 40, start=3)
    explained = [await explain(user, trigger, id_) for id_ in (first, second, third, fourth)]
    assert [one["result"] for one in explained] == ["fired", "not_fired", "off", "fired"]
    assert [one["conditions"][0]["state_before"] for one in (explained[1], explained[3])] == [
        {"ema": 60.0, "samples": 1},
        None,
    ]


async def test_explanation_from_a_snapshot_is_the_same(user: User, rig: Rig, pool: Pool) -> None:
    trigger = await make_trigger(user)
    await happen(rig, 90, 20)
    await evaluate(rig)
    (id_,) = await happen(rig, 40, start=2)
    whole = await explain(user, trigger, id_)
    assert whole["conditions"][0]["state_before"] == {"ema": 55.0, "samples": 2}
    await pool.execute("DELETE FROM events WHERE seq <= (SELECT max(last_seq) FROM trigger_state)")
    await pool.execute("UPDATE dropped_events SET upto = (SELECT max(last_seq) FROM trigger_state)")
    assert await explain(user, trigger, id_) == whole


async def test_what_is_gone_is_not_guessed(user: User, rig: Rig, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = await make_trigger(user)
    before = await happen(rig, 90, 20, 30)
    await pool.execute("UPDATE dropped_events SET upto = (SELECT max(seq) FROM events)")
    gone = await explain(user, trigger, before[2])
    assert (gone["result"], gone["conditions"][0]["holds"]) == ("unknown", None)
    assert "not kept" in gone["reason"]
    await pool.execute("UPDATE dropped_events SET upto = 0")
    monkeypatch.setattr(past, "MOST_EVENTS", 1)
    far = await explain(user, trigger, before[2])
    assert (far["result"], "More than 1 events" in far["reason"]) == ("unknown", True)


async def test_p18_retracted_events_leave_the_explanation_of_later_ones(user: User, rig: Rig, pool: Pool) -> None:
    trigger = await make_trigger(user)
    first, second, third = await happen(rig, 90, 10, 50)
    await pool.execute(
        """WITH r AS (INSERT INTO retractions (chain_id, fork_block, first_retracted_seq, retracted_count)
               SELECT 31337, 0, seq, 1 FROM events WHERE id = $1 RETURNING seq)
           UPDATE events SET retracted_seq = r.seq, retracted_at = now() FROM r WHERE id = $1""",
        second,
    )
    later = await explain(user, trigger, third)
    assert later["conditions"][0]["state_before"] == {"ema": 90.0, "samples": 1}
    taken_back = await explain(user, trigger, second)
    assert (taken_back["retracted"], taken_back["result"]) == (True, "fired")
    assert (await explain(user, trigger, first))["result"] == "not_fired"


async def test_unknown_event_or_trigger_is_not_found(user: User, rig: Rig) -> None:
    trigger = await make_trigger(user)
    (id_,) = await happen(rig, 90)
    assert (await user.call("GET", f"/triggers/{trigger['id']}/explain?event_id={uuid4()}")).status_code == 404
    assert (await user.call("GET", f"/triggers/{uuid4()}/explain?event_id={id_}")).status_code == 404
    assert (await user.call("GET", f"/triggers/{trigger['id']}/explain")).status_code == 400
