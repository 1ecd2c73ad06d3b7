"""Deliverers against real PostgreSQL and receivers that behave in every way, without Ray."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from agentauri.actors import deliverer as deliverer_module
from agentauri.actors.deliverer import Deliverer, DelivererSettings
from agentauri.actors.tasks import cancel
from agentauri.channels.signatures import verifies
from agentauri.store import webhook_secrets
from agentauri.store.database import Connection
from tests.support.misbehaving import Misbehaving, bomb, misbehaving
from tests.support.queue import SECRET_KEY, Queue, make_queue
from tests.support.receiver import receiving
from tests.support.waiting import eventually

NAME_FALLBACK = """
    UPDATE trigger_actions SET trigger_id = (SELECT trigger_id FROM trigger_actions WHERE id = $1),
        config = CASE WHEN id = $1 THEN config || jsonb_build_object('fallback_action_id', $2::text) ELSE config END"""
NOTHING_RUNS = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE $1 AND state <> 'idle')"
"""What a process that is gone was doing in the database is over."""
LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
async def bad() -> AsyncIterator[Misbehaving]:
    async with misbehaving() as receiver:
        yield receiver


@asynccontextmanager
async def delivering(database: str, name: str = "deliverer-00", **settings: Any) -> AsyncIterator[Deliverer]:
    """A deliverer that is drained at the end."""
    chosen = {"lane_lease_seconds": 2.5, "beat_seconds": 0.2} | settings
    deliverer = Deliverer(name, DelivererSettings(database, SECRET_KEY, LOOPBACK, **chosen))
    await deliverer.start()
    try:
        yield deliverer
    finally:
        await deliverer.drain(0.2)


async def kill(deliverer: Deliverer) -> None:
    """What SIGKILL does: nothing is finished, recorded or given back."""
    await cancel(*deliverer._sending, *deliverer._eternal)
    for held in (deliverer._claiming, deliverer._caring, deliverer._recorder.held, deliverer._keeper._held):
        held.drop()
    for channel in deliverer._channels.values():
        await channel.close()


async def has(db: Connection, status: str, count: int) -> bool:
    return bool(await db.fetchval("SELECT count(*) FROM deliveries WHERE status = $1", status) == count)


async def end_leases(db: Connection) -> None:
    await db.execute("UPDATE deliveries SET lease_until = now() - interval '1 s' WHERE status = 'delivering'")


async def test_delivery_arrives_signed_once_with_its_attempt(db: Connection, queue: Queue, database: str) -> None:
    async with receiving(queue.secret) as receiver, delivering(database):
        ids = await queue.add_deliveries(db, await queue.add_action(db, receiver.url), 20)
        await eventually(lambda: has(db, "delivered", 20))
        assert receiver.seen == {str(id_): 1 for id_ in ids}
        assert receiver.unverified == []
        rows = await db.fetch("SELECT outcome, http_status, number, request FROM delivery_attempts")
        assert {tuple(row)[:3] for row in rows} == {("success", 200, 1)}
        assert queue.secret not in str([row["request"] for row in rows])


async def test_doorbell_to_webhook_takes_milliseconds_also_in_a_new_lane(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    async with delivering(database) as deliverer:
        await eventually(lambda: deliverer._keeper.is_safe(time.monotonic()))
        took = []
        for number in range(10):
            host = f"127.0.0.{2 + number % 5}"
            await queue.add_deliveries(db, await queue.add_action(db, bad.url(f"/{number}", host)))
            began = time.monotonic()
            await deliverer.ring([f"host:{host}"])
            await eventually(lambda: bad.seen.total() > number, pause=0.0005)  # noqa: B023 - called within its round
            took.append(time.monotonic() - began)
        assert sorted(took)[5] < 0.1


async def test_row_without_a_doorbell_is_found(db: Connection, queue: Queue, database: str, bad: Misbehaving) -> None:
    async with delivering(database):
        await queue.add_deliveries(db, await queue.add_action(db, bad.url("/ok")), 3)
        await eventually(lambda: has(db, "delivered", 3))


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/hang", "timeout"), ("/reset", "connect"), ("/302", "http"), ("/flood", "success"), ("/drip", "timeout"),
        ("/drip-head", "timeout"), ("/nonsense", "http"), ("/400", "http"), ("/500", "http"),
        ("/endless-headers", "http"), ("/gzip-bomb", "success"), ("/500-cut?3", "http"), ("/429-date", "http"),
    ],
)  # fmt: skip
async def test_misbehaving_receiver_ends_in_a_recorded_outcome(
    db: Connection, queue: Queue, database: str, bad: Misbehaving, path: str, outcome: str
) -> None:
    if path == "/gzip-bomb":
        bomb()  # its making holds the loop up for longer than the attempt may take
    async with delivering(database):
        await queue.add_deliveries(db, await queue.add_action(db, bad.url(path), timeout_seconds=1, retry=[0]))
        await eventually(lambda: has(db, "delivered" if outcome == "success" else "dead", 1), seconds=5)
        assert await db.fetchval("SELECT outcome FROM delivery_attempts") == outcome


async def test_failure_is_tried_again_on_its_schedule_until_it_succeeds(
    db: Connection, queue: Queue, database: str
) -> None:
    async with receiving(queue.secret) as receiver, delivering(database):
        receiver.status = 503
        await queue.add_deliveries(db, await queue.add_action(db, receiver.url, retry=[0, 0.2, 0.2, 0.2, 60]))
        await eventually(lambda: receiver.seen.total() == 2)
        receiver.status = 200
        await eventually(lambda: has(db, "delivered", 1))
        noted = await db.fetch("SELECT number, outcome FROM delivery_attempts ORDER BY number")
        assert [tuple(row) for row in noted] == [(1, "http"), (2, "http"), (3, "success")]


async def test_410_disables_the_action_and_holds_the_rest(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    action = await queue.add_action(db, bad.url("/410"), rate_limit_per_second=4)
    await queue.add_deliveries(db, action, 5)
    async with delivering(database):
        await eventually(lambda: has(db, "held", 4))
        assert await has(db, "dead", 1)
        assert bad.seen == {"/410": 1}


async def test_p21_killed_in_the_middle_of_a_send_sends_again_with_the_same_id(
    db: Connection, queue: Queue, database: str
) -> None:
    async with misbehaving() as hanging:
        action = await queue.add_action(db, hanging.url("/hang"), timeout_seconds=60)
        (id_,) = await queue.add_deliveries(db, action)
        victim = Deliverer("deliverer-00", DelivererSettings(database, SECRET_KEY, LOOPBACK, lane_lease_seconds=2.5))
        await victim.start()
        await eventually(lambda: hanging.seen["/hang"] == 1)
        await kill(victim)
    async with receiving(queue.secret) as receiver, delivering(database, "deliverer-01"):
        await db.execute(
            "UPDATE trigger_actions SET config = jsonb_set(config, '{url}', to_jsonb($1::text))", receiver.url
        )
        await end_leases(db)
        await eventually(lambda: has(db, "delivered", 1))
        assert receiver.seen == {str(id_): 1}
        noted = await db.fetch("SELECT number, outcome, error_class FROM delivery_attempts ORDER BY number")
        assert [tuple(row) for row in noted] == [(1, "timeout", "LeaseExpired"), (2, "success", None)]


async def test_p21_result_that_never_came_is_made_up_for_when_its_lease_ends(
    db: Connection, queue: Queue, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving(queue.secret) as receiver, delivering(database) as zombie:
        action = await queue.add_action(db, receiver.url, retry=[0, 30, 30])
        held_back = asyncio.Event()
        record = zombie._recorder.put
        monkeypatch.setattr(zombie._recorder, "put", lambda _: held_back.set())
        receiver.status = 500
        (id_,) = await queue.add_deliveries(db, action)
        await held_back.wait()
        await end_leases(db)
        monkeypatch.setattr(zombie._recorder, "put", record)
        receiver.status = 200
        await eventually(lambda: has(db, "delivered", 1))
        assert receiver.seen == {str(id_): 2}


async def test_p21_kills_under_load_lose_nothing_and_repeat_only_what_was_in_flight(
    db: Connection, database: str
) -> None:
    dice, kills = random.Random(8004), 4
    async with receiving() as receiver:
        for _ in range(8):
            crowd = await make_queue(db)
            await crowd.add_deliveries(db, await crowd.add_action(db, receiver.url), 50)
        for number in range(kills):
            quick = DelivererSettings(database, SECRET_KEY, LOOPBACK, lane_lease_seconds=2.5, beat_seconds=0.2)
            victim = Deliverer(f"deliverer-{number:02}", quick)
            await victim.start()
            enough = receiver.seen.total() + dice.randrange(1, 60)
            await eventually(lambda: receiver.seen.total() >= enough, pause=0.001)  # noqa: B023 - within its round
            await kill(victim)
            await eventually(lambda: db.fetchval(NOTHING_RUNS, f"%deliverer-{number:02} %"))  # noqa: B023 - as above
            statuses = await db.fetch("SELECT DISTINCT status FROM deliveries")
            assert {row["status"] for row in statuses} <= {"pending", "delivering", "retrying", "delivered"}
            await end_leases(db)
            await db.execute("UPDATE lanes SET lease_until = '-infinity'")
        async with delivering(database, "deliverer-99"):
            await eventually(lambda: has(db, "delivered", 400), seconds=20)
    cut_off = await db.fetch(
        """SELECT delivery_id::text, count(*) FROM delivery_attempts WHERE error_class = 'LeaseExpired'
           GROUP BY delivery_id"""
    )
    in_flight = {row["delivery_id"]: row["count"] for row in cut_off}
    assert len(receiver.seen) == 400
    assert cut_off
    assert max(in_flight.values()) <= kills
    assert [id_ for id_, times in receiver.seen.items() if times > 1 + in_flight.get(id_, 0)] == []


async def test_p23_two_deliverers_share_lanes_and_one_takes_over(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    actions = [await queue.add_action(db, bad.url("/ok", f"127.0.0.{n}")) for n in range(2, 12)]
    ids = [(await queue.add_deliveries(db, action, 2))[0] for action in actions]
    await db.execute("UPDATE deliveries SET next_attempt_at = now() + interval '1 h'")
    async with delivering(database, "deliverer-00") as one:
        await eventually(lambda: one.status()["lanes"] == 10)
        async with delivering(database, "deliverer-01") as two:
            await eventually(lambda: 4 <= one.status()["lanes"] <= 6 and 4 <= two.status()["lanes"] <= 6)
            await db.execute("UPDATE deliveries SET next_attempt_at = now() WHERE id = ANY($1::uuid[])", ids)
            await eventually(lambda: has(db, "delivered", 10))
        await eventually(lambda: one.status()["lanes"] == 10)
    assert await db.fetchval("SELECT count(*) FROM lanes WHERE owner_token IS NOT NULL") == 0


async def test_p23_lost_lane_stops_new_claims_at_once(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    async with delivering(database, beat_seconds=30.0, lane_lease_seconds=60.0) as deliverer:
        action = await queue.add_action(db, bad.url("/ok"))
        await queue.add_deliveries(db, action)
        await deliverer.ring(["host:127.0.0.1"])
        await eventually(lambda: has(db, "delivered", 1))
        await db.execute("UPDATE lanes SET owner_token = gen_random_uuid(), lease_until = now() + interval '1 h'")
        await queue.add_deliveries(db, action)
        await deliverer.ring(["host:127.0.0.1"])
        await eventually(lambda: not deliverer._rung and not deliverer._sending)
        assert await has(db, "pending", 1)


async def test_p22_hanging_destinations_do_not_slow_the_others(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    other = await make_queue(db)
    hang = await queue.add_action(db, bad.url("/hang"), timeout_seconds=60)
    await queue.add_deliveries(db, hang, 500)
    quick = await other.add_action(db, bad.url("/ok"))
    async with delivering(database):
        await eventually(lambda: bad.seen["/hang"] >= 2)
        await other.add_deliveries(db, quick, 200)
        await eventually(lambda: has(db, "delivered", 200), seconds=5)
        assert bad.seen["/hang"] <= 8


async def test_results_wait_while_the_database_is_away(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    async with delivering(database) as deliverer:
        action = await queue.add_action(db, bad.url("/ok"))
        ids: list[UUID] = []
        for _ in range(5):
            ids += await queue.add_deliveries(db, action, 20)
            await deliverer.ring(["host:127.0.0.1"])
            await db.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name LIKE '%deliverer-00%'"""
            )
        await eventually(lambda: end_and_count(db, len(ids)), seconds=20, pause=0.3)


async def end_and_count(db: Connection, count: int) -> bool:
    """Rows whose claim's answer was lost come back when their leases end; the test does not wait for that."""
    await end_leases(db)
    return await has(db, "delivered", count)


async def test_p24_retraction_while_sending_cancels_and_tells(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    async with receiving(queue.secret) as receiver, delivering(database):
        action = await queue.add_action(db, bad.url("/hang"), timeout_seconds=1, notify_retraction=True)
        (id_,) = await queue.add_deliveries(db, action)
        await eventually(lambda: bad.seen["/hang"] == 1)
        await db.execute(
            "UPDATE trigger_actions SET config = jsonb_set(config, '{url}', to_jsonb($1::text)), updated_at = now()",
            receiver.url,
        )
        await db.execute("UPDATE deliveries SET retracted = true WHERE status = 'delivering'")
        await eventually(lambda: has(db, "delivered", 1))
        assert await has(db, "cancelled", 1)
        (body,) = receiver.bodies.values()
        assert body["type"] == "trigger.retracted"
        assert body["data"]["delivery_id"] == str(id_)  # type: ignore[index]  # JSON


async def test_drain_finishes_what_is_under_way_and_gives_lanes_back(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    async with delivering(database) as deliverer:
        await queue.add_deliveries(db, await queue.add_action(db, bad.url("/ok")), 50)
        await eventually(lambda: bad.seen["/ok"] > 0)
        await deliverer.drain(5)
        assert await has(db, "delivering", 0)
        assert await db.fetchval("SELECT count(*) FROM lanes WHERE owner_token IS NOT NULL") == 0


async def test_fallback_action_hears_in_a_sentence_that_another_one_was_disabled(
    db: Connection, queue: Queue, database: str, bad: Misbehaving
) -> None:
    gone = await queue.add_action(db, bad.url("/410"))
    async with receiving(queue.secret) as receiver, delivering(database):
        fallback = await queue.add_action(db, receiver.url, body_template={"x": "{{score}}"})
        await db.execute(NAME_FALLBACK, gone, str(fallback))
        await queue.add_deliveries(db, gone)
        await eventually(lambda: receiver.seen.total() == 1)
        (body,) = receiver.bodies.values()
    assert receiver.unverified == []
    assert body["type"] == "action.disabled"
    data = body["data"]
    assert isinstance(data, dict)
    assert data["action"]["id"] == str(gone)
    assert "was disabled at" in data["message"]
    assert "410 Gone" in data["message"]


async def test_every_live_secret_signs_and_an_actions_own_and_their_use_is_noted(
    db: Connection, queue: Queue, database: str, bad: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer_module, "NOTE_SECONDS", 0.0)
    monkeypatch.setattr(deliverer_module, "EXPIRE_SECONDS", 0.05)
    own = "whsec_" + "B" * 43 + "="
    pair, _ = await webhook_secrets.create_secret(
        db, queue.vault, organization_id=queue.organization, created_by=None, kind=webhook_secrets.SecretKind.ED25519
    )
    await queue.add_deliveries(db, await queue.add_action(db, bad.url("/ok"), signing_secret=own))
    used = "SELECT count(*) FROM webhook_secrets WHERE last_used_at > now() - interval '1 minute'"
    async with delivering(database):
        await eventually(lambda: has(db, "delivered", 1))
        assert await eventually(lambda: db.fetchval(used)) == 2
    head, _, body = bad.requests[-1].partition(b"\r\n\r\n")
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    }
    assert len(headers["webhook-signature"].split(" ")) == 3
    assert pair.public_key is not None
    for key in (queue.secret, own, pair.public_key):
        signed = headers["webhook-id"], headers["webhook-timestamp"], body, headers["webhook-signature"]
        assert verifies(key, *signed)
    kept = await db.fetchval("SELECT config ->> 'signing_secret' FROM trigger_actions")
    assert own not in kept
