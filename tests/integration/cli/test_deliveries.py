"""Deliveries from a terminal: found, shown with their attempts, and sent again."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from agentauri.store.database import Pool
from tests.integration.cli.conftest import Cli, Service

TRIGGER = """
    INSERT INTO triggers (id, organization_id, name, partition) SELECT $1, id, 'Low score', 0 FROM organizations"""
ACTION = """
    INSERT INTO trigger_actions (id, trigger_id, organization_id, action_type, config, destination, lane)
    SELECT $1, $2, id, 'rest', '{"url": "https://example.com/"}', 'd', 'l' FROM organizations"""
DELIVERY = """
    INSERT INTO deliveries (id, organization_id, trigger_id, action_id, event_id, event_seq, channel, destination, lane,
        status, status_code, status_reason, attempt_count, context)
    SELECT $1, id, $2, $3, gen_random_uuid(), 1, 'rest', 'd', 'l', $4, 'attempts_spent', $5, 1, '{}'
    FROM organizations"""
ATTEMPT = """
    INSERT INTO delivery_attempts (delivery_id, organization_id, number, lease_token, outcome, http_status, duration_ms,
        error_message)
    SELECT $1, id, 1, gen_random_uuid(), 'http', 503, 12, 'The receiver answered 503.' FROM organizations"""


async def make(pool: Pool, *statuses: str, reason: str = "refused") -> list[UUID]:
    trigger, action = uuid4(), uuid4()
    await pool.execute(TRIGGER, trigger)
    await pool.execute(ACTION, action, trigger)
    ids = [uuid4() for _ in statuses]
    for id_, status in zip(ids, statuses, strict=True):
        await pool.execute(DELIVERY, id_, trigger, action, status, reason)
        await pool.execute(ATTEMPT, id_)
    return ids


async def statuses(pool: Pool) -> list[str]:
    return sorted(row["status"] for row in await pool.fetch("SELECT status FROM deliveries"))


async def listed(cli: Cli, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await cli.ok("deliveries", "list", "--json", *options)).out)
    return found


async def test_list_is_narrowed_and_pages_on(logged_in: Service, cli: Cli, pool: Pool) -> None:
    await make(pool, *["dead"] * 101, "delivered")
    assert len(await listed(cli, "--count", "1000")) == 102
    assert len(await listed(cli, "--count", "101")) == 101
    assert [one["status"] for one in await listed(cli, "--status", "delivered", "--channel", "rest")] == ["delivered"]


async def test_list_knows_triggers_by_name(logged_in: Service, cli: Cli, pool: Pool) -> None:
    await make(pool, "dead")
    assert len(await listed(cli, "--trigger", "Low score")) == 1
    assert (await cli("deliveries", "list", "--trigger", "nobody")).status == 1


async def test_show_tells_every_attempt(logged_in: Service, cli: Cli, pool: Pool) -> None:
    (id_,) = await make(pool, "dead")
    shown = (await cli.ok("deliveries", "show", str(id_))).out
    assert str(id_) in shown
    assert "The receiver answered 503." in shown
    assert json.loads((await cli.ok("deliveries", "show", str(id_), "--json")).out)["attempts"][0]["http_status"] == 503


async def test_replay_sends_one_again(logged_in: Service, cli: Cli, pool: Pool) -> None:
    ids = await make(pool, "dead", "dead")
    await cli.ok("deliveries", "replay", str(ids[0]))
    assert await statuses(pool) == ["dead", "pending"]


async def test_replay_of_dead_ones_sends_all_that_fit(logged_in: Service, cli: Cli, pool: Pool) -> None:
    await make(pool, "dead", "dead", "delivered")
    await make(pool, "dead", reason="something else")
    ended = await cli.ok("deliveries", "replay", "--dead", "--error", "refused", "--since", "1h")
    assert "2 deliveries are sent again" in ended.err
    assert await statuses(pool) == ["dead", "delivered", "pending", "pending"]


@pytest.mark.parametrize("options", [(), ("--error", "x"), ("nonsense",), (str(UUID(int=1)),)])
async def test_replay_of_nothing_in_particular_is_refused(
    logged_in: Service, cli: Cli, options: tuple[str, ...]
) -> None:
    assert (await cli("deliveries", "replay", *options)).status == 1
