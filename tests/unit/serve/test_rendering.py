"""What a test of a trigger shows of its actions: as much as one answer holds."""

from typing import Any
from uuid import uuid4

import pytest

from agentauri.models.action import parse_action
from agentauri.models.samples import sample_event
from agentauri.serve.triggers import rendering
from agentauri.serve.triggers.rendering import LEFT_OUT, Renderings

TRIGGER = {"id": str(uuid4()), "name": "Low stars"}
MATCH = {"event": sample_event("NewFeedback").public(), "computed": {}}


def action(template: str) -> dict[str, Any]:
    spec = parse_action(
        {"action_type": "rest", "config": {"url": "https://example.com/", "body_template": f"{template}!"}}
    )
    return {"id": str(uuid4()), "action_type": "rest", "config": spec.config}


@pytest.mark.parametrize("template", ["x" * 5_000, "{{computed.0.ema}}" * 300])
async def test_what_goes_beyond_the_bound_is_left_out_though_it_renders_to_nothing(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setattr(rendering, "MOST_BYTES", 50_000)
    renderings = Renderings(TRIGGER, [action(template), action(template)])
    found = [one for _ in range(20) for one in await renderings.of(MATCH)]
    made = [one for one in found if one["error"] is None]
    assert 4 <= len(made) <= 10
    assert found[: len(made)] == made
    assert {(one["rendered"], one["error"]) for one in found[len(made) :]} == {(None, LEFT_OUT)}
