"""State and explanations of triggers that began in the past, against what an evaluator has and did."""

from typing import Any

import pytest

from agentauri.models.packed import pack
from agentauri.serve.triggers import past
from agentauri.store import events
from agentauri.store.database import Pool
from tests.integration.serve import test_trigger_state
from tests.integration.serve.conftest import User
from tests.integration.serve.test_explain import explain, happen
from tests.support.path import Rig
from tests.support.starts import Starts

EMA = test_trigger_state.EMA
HOOK = test_trigger_state.HOOK
SCORES = [90, 20, 90, 90, 10, 60, 80, 5]


async def make_trigger(user: User, **fields: Any) -> dict[str, Any]:
    body = {"name": "falling", "conditions": [EMA], "actions": [HOOK], "start": 2, **fields}
    made: dict[str, Any] = (await user.call("POST", "/triggers", json=body)).json()["data"]
    return made


async def shown(user: User, id_: str) -> Any:
    """The average of the only group, as the API tells it."""
    (group,) = (await test_trigger_state.state(user, id_))["data"]
    return group["conditions"][0]["state"]


async def evaluated(rig: Rig) -> Any:
    """The same of an evaluator at the head of the log."""
    ((ema, samples),) = (await test_trigger_state.evaluate(rig)).values()
    return {"ema": ema, "samples": samples}


async def test_event_of_the_past_is_explained_before_and_after_the_join(user: User, rig: Rig, pool: Pool) -> None:
    ids = await happen(rig, *SCORES)
    trigger = await make_trigger(user)
    before = [await explain(user, trigger, id_) for id_ in ids]
    await Starts(pool).work()
    more = await happen(rig, 10, 90, start=20)
    await test_trigger_state.evaluate(rig)
    after = [await explain(user, trigger, id_) for id_ in (*ids, *more)]
    fired = {row[0] for row in await pool.fetch("SELECT event_id FROM deliveries")}
    assert before[0]["result"] == after[0]["result"] == "unknown"
    assert [one["result"] == "fired" for one in after] == [id_ in fired for id_ in (*ids, *more)]
    assert [one["result"] for one in before] == [one["result"] for one in after[: len(ids)]]


async def test_state_goes_on_from_the_place_where_it_joined(
    user: User, rig: Rig, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await happen(rig, *SCORES)
    trigger = await make_trigger(user)
    await Starts(pool).work()
    await happen(rig, 10, start=20)
    average = await evaluated(rig)
    await pool.execute("DELETE FROM trigger_state")
    monkeypatch.setattr(past, "MOST_EVENTS", 1)
    assert await shown(user, trigger["id"]) == average


async def test_snapshot_from_before_the_join_is_not_taken_for_its_state(user: User, rig: Rig, pool: Pool) -> None:
    await happen(rig, *SCORES)
    trigger = await make_trigger(user)
    await pool.execute("UPDATE partitions SET last_seq = 8")
    await pool.execute(
        """INSERT INTO trigger_state (partition, last_seq, owner_token, state, keys)
           SELECT partition, last_seq, 0, $1, 0 FROM partitions""",
        pack({}),
    )
    assert (await shown(user, trigger["id"]))["samples"] == len(SCORES) - 1
    await Starts(pool).work()
    assert (await shown(user, trigger["id"]))["samples"] == len(SCORES) - 1


async def test_state_has_nothing_of_what_was_taken_back_after_the_join(user: User, rig: Rig, pool: Pool) -> None:
    await happen(rig, *SCORES)
    trigger = await make_trigger(user)
    await Starts(pool).work()
    async with pool.acquire() as connection, connection.transaction():
        await events.retract(connection, 31337, 4)
    average = await evaluated(rig)
    await pool.execute("DELETE FROM trigger_state")
    assert await shown(user, trigger["id"]) == average


async def test_past_that_was_ended_is_explained_as_far_as_it_was_met(user: User, rig: Rig, pool: Pool) -> None:
    ids = await happen(rig, *SCORES)
    trigger = await make_trigger(user, conditions=[EMA], start=1)
    await pool.execute("UPDATE trigger_starts SET position = 5")
    await user.call("POST", f"/triggers/{trigger['id']}/disable")
    results = [(await explain(user, trigger, id_))["result"] for id_ in ids]
    assert results == ["not_fired", "fired", "not_fired", "not_fired", "fired", "off", "off", "off"]
