"""Testing triggers on stored events: ranges, what is found and rendered, long tests that run apart."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from agentauri.serve.triggers import trial
from agentauri.store import trigger_tests
from agentauri.store.database import Pool
from tests.integration.serve.conftest import Api, User
from tests.support.rows import BLOCK_TIME, feedback, insert_events
from tests.support.waiting import eventually

LOW = {"condition_type": "score_threshold", "field": "score", "operator": "<", "value": 60}
EMA = {"condition_type": "ema_threshold", "field": "score", "operator": "<", "value": 70, "config": {"alpha": 0.5}}
BODY = {"text": "{{score}} by {{trigger.name}}", "ema": "{{ema_score}}"}
HOOK = {
    "action_type": "rest",
    "config": {
        "url": "http://127.0.0.1:9900/{{agent_id}}",
        "headers": {"Authorization": "secret-of-the-hook"},
        "body_template": BODY,
    },
}


def a_trigger(*conditions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": "low", "conditions": list(conditions or [LOW]), "actions": [HOOK], **fields}


async def happen(pool: Pool, *scores: int, **columns: Any) -> list[UUID]:
    rows = [feedback(number, data={"score": str(score)}, **columns) for number, score in enumerate(scores)]
    async with pool.acquire() as connection:
        return await insert_events(connection, rows)


async def tried(user: User, trigger: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    answer = await user.call("POST", "/triggers/test", json={"trigger": trigger, **wanted})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def counts(found: dict[str, Any]) -> tuple[int, int]:
    return found["evaluated"], found["fired"]


async def test_matches_show_what_would_have_been_sent_and_nothing_is(user: User, pool: Pool) -> None:
    _, low = await happen(pool, 90, 50)
    found = await tried(user, a_trigger(EMA | {"value": 80}), last=2)
    assert (counts(found), found["total"], found["id"], found["status"]) == ((2, 1), 2, None, "done")
    (match,) = found["matches"]
    assert (match["event_id"], match["group"], match["computed"]) == (str(low), "1", {"0": {"ema": 70.0}})
    (action,) = match["actions"]
    assert action["rendered"]["url"] == "http://127.0.0.1:9900/1"
    assert action["rendered"]["body"] == {"text": "50 by low", "ema": 70.0}
    assert "secret-of-the-hook" not in str(found)
    assert found["days"] == [{"day": "2026-09-21", "fired": 1}]
    for table in ("deliveries", "triggers", "trigger_versions", "trigger_ledger", "trigger_tests"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_state_is_fresh_at_the_beginning_of_the_range(user: User, pool: Pool) -> None:
    await happen(pool, 20, 90, 100)
    assert counts(await tried(user, a_trigger(EMA), last=3)) == (3, 2)
    assert counts(await tried(user, a_trigger(EMA), last=2)) == (2, 0)


async def test_every_kind_of_range(user: User, pool: Pool) -> None:
    ids = await happen(pool, 10, 10, 10, 10)
    first = datetime.fromtimestamp(BLOCK_TIME, UTC).isoformat()
    third = datetime.fromtimestamp(BLOCK_TIME + 2, UTC).isoformat()
    days = (datetime.now(UTC) - datetime.fromtimestamp(BLOCK_TIME, UTC)).days
    for wanted, expected in (
        ({"event_id": str(ids[1])}, 1),
        ({"last": 3}, 3),
        ({"last": 100}, 4),
        ({"last": f"{days + 1}d"}, 4),
        ({"last": f"{days}d"} if days > 0 else {"last": "1s"}, 0),
        ({"from_block": 1, "to_block": 2}, 2),
        ({"from_block": 1}, 3),
        ({"from": first, "to": third}, 2),
        ({"to": third}, 2),
    ):
        assert counts(await tried(user, a_trigger(), **wanted)) == (expected, expected), wanted


async def test_blocks_are_those_of_the_triggers_chain(user: User, pool: Pool) -> None:
    await happen(pool, 10, 10)
    await happen(pool, 10, 10, chain_id=5)
    assert counts(await tried(user, a_trigger(chain_id=5), from_block=0, to_block=0)) == (1, 1)
    assert counts(await tried(user, a_trigger(), from_block=0, to_block=0)) == (2, 2)


async def test_what_was_taken_back_is_not_in_a_range_and_can_be_asked_about(user: User, pool: Pool) -> None:
    first, _ = await happen(pool, 10, 10)
    await pool.execute(
        """WITH r AS (INSERT INTO retractions (chain_id, fork_block, first_retracted_seq, retracted_count)
               SELECT 31337, 0, seq, 1 FROM events WHERE id = $1 RETURNING seq)
           UPDATE events SET retracted_seq = r.seq, retracted_at = now() FROM r WHERE id = $1""",
        first,
    )
    assert counts(await tried(user, a_trigger(), from_block=0)) == (1, 1)
    assert counts(await tried(user, a_trigger(), event_id=str(first))) == (1, 1)


async def test_ranges_that_are_none_are_refused(user: User) -> None:
    for wanted in (
        {},
        {"last": 3, "event_id": str(uuid4())},
        {"last": 0},
        {"last": "month"},
        {"last": True},
        {"last": 2.5},
        {"from_block": 3, "to_block": 2},
        {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
    ):
        answer = await user.call("POST", "/triggers/test", json={"trigger": a_trigger(), **wanted})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), wanted
    unknown = await user.call("POST", "/triggers/test", json={"trigger": a_trigger(), "event_id": str(uuid4())})
    assert unknown.status_code == 404
    invalid = await user.call("POST", "/triggers/test", json={"trigger": a_trigger(match_all=3), "last": 1})
    assert invalid.json()["errors"][0]["pointer"].startswith("/trigger/match_all")


async def test_stored_trigger_is_tested_as_it_is_now_though_it_is_off(user: User, pool: Pool) -> None:
    made = (await user.call("POST", "/triggers", json=a_trigger(enabled=False))).json()["data"]
    await happen(pool, 10, 90)
    answer = await user.call("POST", f"/triggers/{made['id']}/test", json={"last": 5})
    assert counts(answer.json()["data"]) == (2, 1)
    assert answer.json()["data"]["matches"][0]["actions"][0]["action_id"] == made["actions"][0]["id"]
    assert (await user.call("POST", f"/triggers/{uuid4()}/test", json={"last": 5})).status_code == 404


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a few events are worked off apart, in several parts."""
    monkeypatch.setattr(trial, "INLINE_EVENTS", 0)
    monkeypatch.setattr(trial, "PART_EVENTS", 10)


@pytest.mark.parametrize("condition", [LOW, EMA])
async def test_long_test_that_is_done_in_time_is_as_a_short_one(
    user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch, condition: dict[str, Any]
) -> None:
    await happen(pool, *(number * 37 % 100 for number in range(35)))
    short = await tried(user, a_trigger(condition), last=35)
    monkeypatch.setattr(trial, "INLINE_EVENTS", 0)
    monkeypatch.setattr(trial, "PART_EVENTS", 10)
    long = await tried(user, a_trigger(condition), last=35)
    assert long["id"] is not None
    drop = {"id": None}
    assert without_ids(long | drop) == without_ids(short)
    parts = await pool.fetchval("SELECT count(*) FROM trigger_test_parts")
    assert parts == (4 if condition is LOW else 1)


def without_ids(found: dict[str, Any]) -> dict[str, Any]:
    """Triggers that are not stored have other ids each time."""
    matches = [
        match | {"actions": [action["rendered"]["body"] for action in match["actions"]]} for match in found["matches"]
    ]
    return found | {"matches": matches}


async def test_test_that_runs_apart_is_answered_with_its_id_followed_and_found_again(
    user: User, pool: Pool, apart: None
) -> None:
    await happen(pool, *[10] * 30)
    answer = await user.call("POST", "/triggers/test", json={"trigger": a_trigger(), "last": 30, "wait_seconds": 0})
    assert answer.status_code == 202
    id_ = answer.json()["data"]["id"]
    stream = await user.call("GET", f"/triggers/tests/{id_}/stream")
    kinds = [line.removeprefix("event: ") for line in stream.text.splitlines() if line.startswith("event: ")]
    assert kinds[-1] == "done"
    assert set(kinds[:-1]) <= {"progress"}
    last = orjson.loads(stream.text.rsplit("data: ", 1)[1])
    found = (await user.call("GET", f"/triggers/tests/{id_}")).json()["data"]
    assert last == found
    assert (found["status"], *counts(found)) == ("done", 30, 30)
    assert (await user.call("GET", f"/triggers/tests/{uuid4()}")).status_code == 404


async def lost_test(user: User, pool: Pool, *, silent_seconds: int = 0) -> UUID:
    """A test whose worker says nothing."""
    id_ = uuid4()
    async with pool.acquire() as connection, connection.transaction():
        asked = trigger_tests.Asked(id_, UUID(user.organization_id), None, {"id": str(id_), "name": "low"}, [], 9)
        await trigger_tests.begin(connection, asked, 1)
    await pool.execute(
        "UPDATE trigger_test_parts SET updated_at = now() - make_interval(secs => $1)", float(silent_seconds)
    )
    return id_


async def test_cancelled_test_is_told_so_to_its_worker_and_keeps_what_it_found(user: User, pool: Pool) -> None:
    id_ = await lost_test(user, pool)
    async with pool.acquire() as connection:
        assert await trigger_tests.tell(connection, id_, 0, trigger_tests.Part(evaluated=5))
        assert (await user.call("DELETE", f"/triggers/tests/{id_}")).status_code == 204
        assert not await trigger_tests.tell(connection, id_, 0, trigger_tests.Part(evaluated=6))
    found = (await user.call("GET", f"/triggers/tests/{id_}")).json()["data"]
    assert (found["status"], found["evaluated"]) == ("cancelled", 5)
    assert (await user.call("DELETE", f"/triggers/tests/{uuid4()}")).status_code == 404


async def test_test_whose_worker_went_away_has_failed(user: User, pool: Pool) -> None:
    id_ = await lost_test(user, pool, silent_seconds=2 * trigger_tests.SILENT_SECONDS)
    found = (await user.call("GET", f"/triggers/tests/{id_}")).json()["data"]
    assert (found["status"], "went away" in found["error"]) == ("failed", True)


async def test_organization_runs_so_many_tests_at_a_time(user: User, api: Api, pool: Pool, apart: None) -> None:
    await happen(pool, 10, 10)
    for _ in range(trigger_tests.MOST_RUNNING):
        await lost_test(user, pool)
    refused = await user.call("POST", "/triggers/test", json={"trigger": a_trigger(), "last": 2})
    assert (refused.status_code, refused.json()["error"]) == (403, "limit_reached")
    other = await api.register()
    assert counts(await tried(other, a_trigger(), last=2)) == (2, 2)
    await pool.execute("UPDATE trigger_tests SET cancelled_at = now()")
    assert counts(await tried(user, a_trigger(), last=2)) == (2, 2)


async def test_tests_go_after_a_day(user: User, pool: Pool, apart: None) -> None:
    id_ = await lost_test(user, pool)
    await pool.execute("UPDATE trigger_tests SET created_at = now() - interval '25 hours', cancelled_at = now()")
    await happen(pool, 10)
    await tried(user, a_trigger(), last=1)
    await eventually(lambda: _is_gone(pool, id_))


async def _is_gone(pool: Pool, id_: UUID) -> bool:
    return bool(await pool.fetchval("SELECT count(*) = 0 FROM trigger_tests WHERE id = $1", id_))
