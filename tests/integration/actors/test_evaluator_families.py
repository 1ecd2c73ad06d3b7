"""Every family of conditions on real stores: after crashes and forks, queue and state are those of one clean pass."""

from typing import Any

import pytest

from tests.integration.actors.test_evaluator import (
    rebuilt_state,
    retract,
    scores,
    some_scores,
    state_of,
    undisturbed_queue,
)
from tests.support.path import Rig, snapshot
from tests.support.triggers import EMA_LOW, make_organization, make_trigger

FIELD = {"field": "score"}
FAMILIES: list[list[dict[str, Any]]] = [
    [{"condition_type": "window_aggregate", **FIELD, "operator": ">", "value": 90,
      "config": {"function": "sum", "time_window": "30s"}}],
    [{"condition_type": "window_aggregate", **FIELD, "operator": "<=", "value": 40,
      "config": {"function": "p50", "last_n": 5, "group_by": "none"}}],
    [{"condition_type": "window_aggregate", **FIELD, "operator": ">=", "value": 3,
      "config": {"function": "distinct", "time_window": "20s"}}],
    [{"condition_type": "change", **FIELD, "operator": "crosses_below", "value": 50}],
    [{"condition_type": "absence", "config": {"time_window": "4s"}}],
    [{"condition_type": "expression", "value": "score < 60 && tag1 == 'quality'"}, EMA_LOW],
]  # fmt: skip


@pytest.mark.parametrize("crash", [False, True])
async def test_p18_crash_and_retraction_change_nothing_for_any_family(rig: Rig, crash: bool) -> None:
    async with rig.pool.acquire() as connection:
        organization = await make_organization(connection)
        triggers = [await make_trigger(connection, organization, family) for family in FAMILIES]
    await scores(rig, some_scores(60, 1))
    evaluator = await rig.served()
    await snapshot(evaluator)
    await scores(rig, some_scores(30, 2), start=60)
    await rig.serve(evaluator)
    await retract(rig, 70, 12)
    await scores(rig, some_scores(6, 3), start=70, block_hash="0xother")
    if crash:
        await rig.crash(evaluator)
        evaluator = await rig.start()
    await rig.serve(evaluator)
    live = state_of(evaluator)
    await evaluator.drain()
    assert await rig.unreconciled() == []
    queue = {row for row in await rig.deliveries() if row[3] != "cancelled"}
    await rig.pool.execute("DELETE FROM events WHERE retracted_at IS NOT NULL")
    await rig.pool.execute("DELETE FROM retractions")
    assert queue == await undisturbed_queue(rig)
    assert {row[0] for row in queue} == {str(trigger.id) for trigger in triggers}
    assert await rebuilt_state(rig) == live
