"""The numbered steps of a commit, with a kill at each: queue, counters and state stay those of one pass."""

import inspect
import itertools
from typing import Any

import pytest

from agentauri.actors import evaluator as evaluator_module
from agentauri.actors.evaluator import Evaluator
from agentauri.actors.state_keeper import StateKeeper
from agentauri.store import firings, partitions
from agentauri.store.checkpoints import Checkpoints
from tests.integration.actors.test_evaluator import rebuilt_state, scores, some_scores, state_of, three_triggers
from tests.support.oracle import one_pass
from tests.support.path import Gone, Rig

STEPS: dict[str, tuple[Any, str, int, bool]] = {
    "① before": (evaluator_module, "work_off", 0, False),
    "① after": (evaluator_module, "work_off", 0, True),
    "② before": (firings, "commit", 0, False),
    "② its answer is lost": (firings, "commit", 0, True),
    "② of progress alone": (partitions, "advance", 0, False),
    "③ before": (StateKeeper, "checkpoint", 0, False),
    "③ some partitions added": (Checkpoints, "add", 1, False),
    "③ some partitions written": (Checkpoints, "write", 1, True),
    "③ after": (StateKeeper, "checkpoint", 0, True),
    "④ before the answer": (Evaluator, "_measure", 0, False),
}
"""Where the process ends in the numbered steps of a commit: in which call, after how many others, and on which side."""


def ending(owner: Any, name: str, others: int, after: bool) -> Any:
    """The call, which the process does not survive."""
    real, calls = getattr(owner, name), itertools.count()

    def call_now(*arguments: Any, **more: Any) -> Any:
        answer = real(*arguments, **more) if after else None
        raise Gone(answer)

    async def call(*arguments: Any, **more: Any) -> Any:
        last = next(calls) == others
        if last and not after:
            raise Gone
        answer = await real(*arguments, **more)
        if last:
            raise Gone
        return answer

    return call if inspect.iscoroutinefunction(real) else call_now


@pytest.mark.parametrize("step", STEPS)
async def test_p14_kill_at_a_step_of_every_commit_changes_neither_queue_nor_state(
    rig: Rig, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_triggers(rig)
    await scores(rig, [*some_scores(50, 1), *[99] * 100])
    kills, evaluator = 0, await rig.start()
    while (await evaluator.progress()).last_seq < await rig.head():
        rig.read_anew()
        with monkeypatch.context() as patch:
            patch.setattr(*STEPS[step][:2], ending(*STEPS[step]))
            try:
                await rig.serve(evaluator, most=1)
            except Gone:
                kills += 1
        await rig.crash(evaluator)
        evaluator = await rig.start()
        rig.read_anew()
        await rig.serve(evaluator, most=1)
    assert kills
    live, truth = state_of(evaluator), await one_pass(rig.pool)
    assert {row["id"] for row in await rig.pool.fetch("SELECT id FROM deliveries")} == truth.queue
    assert live == truth.states
    assert await rig.unreconciled() == []
    await rig.crash(evaluator)
    assert await rebuilt_state(rig) == live
