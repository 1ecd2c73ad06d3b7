"""What the demo shows: one line for each event, match and delivery, in the order in which they come."""

import time
from typing import Any

from rich.console import Console
from rich.markup import escape

STYLES = {"event": "cyan", "match": "yellow", "delivery": "green", "refused": "bold red"}


class Screen:
    """Lines with the seconds since the story began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._names: dict[str, str] = {}
        self._began = time.monotonic()
        self._arrived: list[tuple[float, dict[str, Any], bool]] = []

    def did(self, text: str) -> None:
        """A step of the demo."""
        self._console.print(f"[green]✓[/] {escape(text)}")

    def name(self, trigger_id: str, name: str) -> None:
        """Remember what a trigger is called."""
        self._names[trigger_id] = name

    def headline(self) -> None:
        """The story begins."""
        self._began = time.monotonic()
        self._console.print("\n[bold]seconds  what      trigger or event        about[/]")

    def event(self, event: dict[str, Any]) -> None:
        """An event stands in the log."""
        self._line("event", event["event_type"], f"{_about(event)}, block {event['block_number']}")

    def match(self, delivery: dict[str, Any]) -> None:
        """A trigger fired: its action stands in the queue."""
        self._line("match", self._names.get(delivery["trigger_id"], "?"), f"event {delivery['event_seq']} in the log")

    def arrived(self, body: dict[str, Any], verified: bool) -> None:
        """A webhook came in at the receiver; shown at the next ``show_arrived``, after what led to it."""
        self._arrived.append((time.monotonic(), body, verified))

    def show_arrived(self) -> None:
        """Show the webhooks that came in since the last call."""
        arrived, self._arrived = self._arrived, []
        for moment, body, verified in arrived:
            if verified:
                about = f"{_about(body['data']['event'])}, signature verified"
                self._line("delivery", body["data"]["trigger"]["name"], about, moment)
            else:
                self._line("refused", "signature is not valid", "answered 401", moment)

    def _line(self, what: str, name: str, about: str, moment: float | None = None) -> None:
        seconds = (moment or time.monotonic()) - self._began
        style = STYLES[what]
        self._console.print(f"{seconds:7.2f}  [{style}]{what:<8}[/]  {escape(name):<22}  {escape(about)}")


def _about(event: dict[str, Any]) -> str:
    """The agent and the score of an event, where it has them."""
    score = event["data"].get("score")
    agent = f"the {event['registry']} registry" if event["agent_id"] is None else f"agent {event['agent_id']}"
    return agent if score is None else f"{agent}, score {score}"
