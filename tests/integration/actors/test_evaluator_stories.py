"""Whatever happens to the log and to those who work it off, queue and state are what the plain rules say."""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.path import Rig
from tests.support.story import Story
from tests.unit.engine.making import World

STORIES = int(os.environ.get("STORIES", "5"))
"""More of them on request: each takes about a second."""


@pytest.mark.timeout(60 + 10 * STORIES)
@settings(
    max_examples=STORIES,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # a smaller seed is no simpler story
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
async def test_p18_any_story_of_log_and_evaluators_comes_to_what_the_plain_rules_say(rig: Rig, seed: int) -> None:
    story = Story(rig, World(seed))
    await story.tell()
    truth = await story.truth()
    assert await story.queue() == truth.queue, story.happened
    assert story.states() == truth.states, story.happened
    assert await story.misled() == set(), story.happened
    assert await rig.unreconciled() == [], story.happened
    await rig.crash_all()
