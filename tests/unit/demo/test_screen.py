"""The demo's lines come in the order in which things happened, whoever told of them first."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from agentauri.demo import screen as screen_module
from agentauri.demo.screen import Screen

BEGAN = 1_700_000_000.0
EVENT: dict[str, Any] = {
    "event_type": "NewFeedback", "registry": "reputation", "agent_id": 0, "block_number": 7, "data": {"score": 20},
}  # fmt: skip


class Clock:
    """A time that tests set."""

    now = BEGAN

    def time(self) -> float:
        """As the module asks for it."""
        return self.now


def at(seconds: float) -> str:
    return datetime.fromtimestamp(BEGAN + seconds, UTC).isoformat()


def test_webhook_known_before_its_event_is_shown_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = Clock(), StringIO()
    monkeypatch.setattr(screen_module, "time", clock)
    screen = Screen(Console(file=out, width=120))
    screen.name("t", "Low [score]")
    clock.now = BEGAN + 0.5
    screen.arrived({"data": {"trigger": {"name": "Low [score]"}, "event": EVENT}}, verified=True)
    screen.show(BEGAN + 0.4)
    assert out.getvalue() == ""
    screen.match({"trigger_id": "t", "event_seq": 12, "created_at": at(0.3)})
    screen.event(EVENT | {"created_at": at(0.25)})
    screen.show()
    screen.show()
    assert [" ".join(line.split()) for line in out.getvalue().splitlines()] == [
        "0.25 event NewFeedback agent 0, score 20, block 7",
        "0.30 match Low [score] event 12 in the log",
        "0.50 delivery Low [score] agent 0, score 20, signature verified",
    ]
