"""Triggers that begin in the past: queue and state are those of one that was there, whatever happens meanwhile."""

import random
from typing import Any

import pytest

from agentauri.actors import pasts, starter
from tests.integration.actors.test_evaluator import rebuilt_state, scores, some_scores, state_of
from tests.integration.actors.test_evaluator_families import FAMILIES
from tests.support.path import Rig
from tests.support.starts import Starts, expected, queue
from tests.support.triggers import BURST, EMA_LOW, LOW_SCORE, make_organization, make_trigger

KINDS: list[list[dict[str, Any]]] = [[LOW_SCORE], [EMA_LOW], [LOW_SCORE, BURST], *FAMILIES]


@pytest.fixture
def starts(rig: Rig) -> Starts:
    return Starts(rig.pool)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A past of many pages, and a rest of few rows."""
    monkeypatch.setattr(pasts, "PAGE_ROWS", 10)
    monkeypatch.setattr(starter, "REST_SEQS", 4)


async def begin(rig: Rig, conditions: list[dict[str, Any]], after: int = 0, **fields: Any) -> Any:
    async with rig.pool.acquire() as connection:
        return await make_trigger(connection, await make_organization(connection), conditions, after=after, **fields)


@pytest.mark.parametrize("kind", range(len(KINDS)))
async def test_past_and_present_are_those_of_a_plain_evaluator(
    rig: Rig, starts: Starts, small_pages: None, kind: int
) -> None:
    dice = random.Random(kind)
    await scores(rig, some_scores(60, kind))
    after = dice.randrange(50)
    trigger = await begin(rig, KINDS[kind], after, cooldown_seconds=dice.choice([0, 7]))
    await starts.work()
    await scores(rig, some_scores(40, kind + 1), start=60)
    evaluator = await rig.start()
    await rig.serve(evaluator)
    assert await queue(rig.pool) == await expected(rig.pool, trigger, after)
    live = state_of(evaluator)
    await evaluator.drain()
    assert await rebuilt_state(rig) == live
    row = await starts.row()
    assert (row["status"], row["position"] < row["joined_seq"]) == ("joined", True)
    assert starts.rung
