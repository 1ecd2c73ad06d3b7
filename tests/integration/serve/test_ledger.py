"""The ledger of a trigger, held against the deliveries that an evaluator made."""

from collections import Counter
from typing import Any
from uuid import uuid4

from agentauri.store.database import Pool
from tests.integration.serve.conftest import User
from tests.support.path import Rig
from tests.support.rows import BLOCK_TIME, feedback, insert_events

DAY_SECONDS = 86_400
FIRST_DAY = "2026-09-21"
"""The day of BLOCK_TIME."""
LOW_SCORE = {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 60}
HOOKS = [{"action_type": "rest", "config": {"url": f"http://127.0.0.1:9900/{name}"}} for name in "ab"]


async def happen(rig: Rig, scores: dict[int, int]) -> None:
    """Feedback with these scores, each so many seconds after BLOCK_TIME, and its evaluation."""
    rows = [feedback(after, data={"score": str(score)}) for after, score in scores.items()]
    async with rig.pool.acquire() as connection:
        await insert_events(connection, rows)
    evaluator = await rig.start()
    await rig.serve(evaluator)
    await evaluator.drain()


async def make_trigger(user: User, **fields: Any) -> str:
    body = {"name": "low", "conditions": [LOW_SCORE], "actions": HOOKS, **fields}
    return str((await user.call("POST", "/triggers", json=body)).json()["data"]["id"])


async def test_days_say_what_matched_and_every_firing_has_an_outcome_for_each_action(
    user: User, pool: Pool, rig: Rig
) -> None:
    id_ = await make_trigger(user, cooldown_seconds=100)
    other = await make_trigger(user)
    await happen(rig, {0: 10, 50: 20, 200: 30, 300: 90, DAY_SECONDS: 40})
    await pool.execute(
        "UPDATE deliveries SET status = 'delivered' WHERE event_seq = (SELECT max(event_seq) FROM deliveries)"
    )
    days = (await user.call("GET", f"/triggers/{id_}/ledger?from={FIRST_DAY}&to=2026-09-30")).json()["data"]
    first = {"day": FIRST_DAY, "matched": 3, "cooled_down": 1, "fired": 2, "outcomes": {"pending": 4}}
    second = {"day": "2026-09-22", "matched": 1, "cooled_down": 0, "fired": 1, "outcomes": {"delivered": 2}}
    assert days == [first, second]
    for trigger in (id_, other):
        await reconcile(user, pool, trigger)


async def reconcile(user: User, pool: Pool, trigger: str) -> None:
    """Firings times actions are the deliveries, and the deliveries by status are the outcomes."""
    days = (await user.call("GET", f"/triggers/{trigger}/ledger?from={FIRST_DAY}&to=2026-09-30")).json()["data"]
    rows = await pool.fetch("SELECT status, count(*) FROM deliveries WHERE trigger_id::text = $1 GROUP BY 1", trigger)
    outcomes: Counter[str] = Counter()
    for day in days:
        assert day["matched"] == day["cooled_down"] + day["fired"]
        assert sum(day["outcomes"].values()) == len(HOOKS) * day["fired"]
        outcomes.update(day["outcomes"])
    assert outcomes == dict(map(tuple, rows))
    assert (
        sum(day["fired"] for day in days)
        == (await user.call("GET", f"/triggers/{trigger}")).json()["data"]["fired_count"]
    )


async def test_range_is_in_days_and_a_time_at_its_end_stands_for_what_is_before_it(user: User, rig: Rig) -> None:
    id_ = await make_trigger(user)
    await happen(rig, {0: 10, DAY_SECONDS: 10, 2 * DAY_SECONDS: 10})

    async def days(query: str) -> list[str]:
        answer = await user.call("GET", f"/triggers/{id_}/ledger?{query}")
        return [day["day"] for day in answer.json()["data"]]

    assert await days("from=2026-09-22&to=2026-09-22") == ["2026-09-22"]
    assert await days("from=2026-09-21T23:00:00Z&to=2026-09-23T00:00:00Z") == ["2026-09-21", "2026-09-22"]
    assert await days("to=2026-09-21") == ["2026-09-21"]
    assert BLOCK_TIME // DAY_SECONDS * DAY_SECONDS == 1_789_948_800


async def test_what_is_neither_day_nor_time_is_told_once_and_where_it_stands(user: User) -> None:
    answer = await user.call("GET", f"/triggers/{uuid4()}/ledger?from=x")
    assert [one["pointer"] for one in answer.json()["errors"]] == ["/query/from"]
    assert answer.json()["detail"].startswith("/query/from must be a day such as 2026-11-23, or a time")


async def test_impossible_ranges_and_unknown_triggers_are_refused(user: User) -> None:
    id_ = await make_trigger(user)
    for query in ("from=2026-09-02&to=2026-09-01", "from=2024-01-01&to=2026-01-01", "from=x", "to=1969-01-01"):
        answer = await user.call("GET", f"/triggers/{id_}/ledger?{query}")
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), query
    assert (await user.call("GET", f"/triggers/{uuid4()}/ledger")).status_code == 404
    assert (await user.call("GET", f"/triggers/{id_}/ledger")).json() == {"data": []}
