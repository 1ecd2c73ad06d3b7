"""What the bench of recoveries is held to: an evaluator's own work passes; anything lost, doubled or wrong fails it."""

from uuid import uuid4

import pytest

from agentauri.bench import load, recovery, truth
from agentauri.bench.path import Wrong
from agentauri.bench.truth import Truth
from agentauri.engine.reference import ReferenceEvaluator
from agentauri.models.trigger import TriggerDefinition
from tests.support.path import Rig

AGENTS = 100
EVENTS = 600


async def made(rig: Rig) -> list[TriggerDefinition]:
    """Triggers and events as the bench makes them, few."""
    count, organization = AGENTS // recovery.AGENTS_EACH * 2, uuid4()
    triggers = load.definitions(organization, [recovery.conditions(number, count) for number in range(count)])
    mix = load.Mix(agents=AGENTS, low_percent=30.0, in_turn=True)
    async with rig.pool.acquire() as connection:
        await load.insert_triggers(connection, organization, triggers, "http://127.0.0.1:9/", "127.0.0.1")
        await load.insert_events(connection, EVENTS, mix)
    return triggers


async def worked_out(rig: Rig, triggers: list[TriggerDefinition]) -> Truth:
    async with rig.pool.acquire() as connection:
        return await truth.work_out(connection, triggers, triggers)


async def worked_off(rig: Rig) -> Truth:
    triggers = await made(rig)
    evaluator = await rig.start()
    await rig.serve(evaluator)
    await evaluator.drain()
    return await worked_out(rig, triggers)


async def test_evaluator_that_lost_nothing_passes(rig: Rig) -> None:
    found = await worked_off(rig)
    assert found.state_count == 2 * AGENTS
    assert len(found.deliveries) > 50
    async with rig.pool.acquire() as connection:
        await truth.check(connection, found)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("DELETE FROM deliveries WHERE id = (SELECT min(id::text)::uuid FROM deliveries)", "1 are lost"),
        (
            "UPDATE deliveries SET id = gen_random_uuid() WHERE id = (SELECT min(id::text)::uuid FROM deliveries)",
            "1 sho",
        ),
        ("UPDATE triggers SET fired_count = fired_count + 1 WHERE fired_count > 0", "counters"),
        ("UPDATE trigger_state SET state = (SELECT state FROM trigger_state ORDER BY keys LIMIT 1)", "state"),
    ],
)
async def test_anything_that_is_not_as_it_should_be_fails_the_bench(rig: Rig, spoil: str, said: str) -> None:
    found = await worked_off(rig)
    await rig.pool.execute(spoil)
    async with rig.pool.acquire() as connection:
        with pytest.raises(Wrong, match=said):
            await truth.check(connection, found)


async def test_engine_that_fires_otherwise_than_the_reference_fails_the_bench(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    triggers = await made(rig)
    monkeypatch.setattr(ReferenceEvaluator, "evaluate", lambda *_: [])
    with pytest.raises(Wrong, match="of the reference 0"):
        await worked_out(rig, triggers)
