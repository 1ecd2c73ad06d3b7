"""There is a sample event of every type, with every field that its type has."""

import pytest

from agentauri.models.fields import DATA, EVENT_TYPES
from agentauri.models.samples import DATA as SAMPLES
from agentauri.models.samples import sample_event


def test_every_type_has_its_sample() -> None:
    assert set(SAMPLES) == set(EVENT_TYPES)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_sample_is_an_event_as_everyone_sees_it(event_type: str) -> None:
    shown = sample_event(event_type).public()
    assert shown["event_type"] == event_type
    assert shown["block_timestamp"] == "2026-11-23T08:00:00Z"
    assert set(shown["data"]) <= set(DATA)
    assert all(value not in ("", None) for value in shown["data"].values())
