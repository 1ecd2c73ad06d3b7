"""What the demo shows: one line for each event, match and delivery, in the order in which they happened.

Events and matches are told of by the API a moment later than a webhook arrives, so lines wait until everything that
happened before them is known. The times are those of the rows and of the receiver; all are clocks of this machine.
"""

import time
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

STYLES = {"event": "cyan", "match": "yellow", "delivery": "green", "refused": "bold red"}


class Screen:
    """Lines with the seconds since the story began."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._names: dict[str, str] = {}
        self._began = time.time()
        self._waiting: list[tuple[float, str]] = []

    def did(self, text: str) -> None:
        """A step of the demo."""
        self._console.print(f"[green]✓[/] {escape(text)}")

    def name(self, trigger_id: str, name: str) -> None:
        """Remember what a trigger is called."""
        self._names[trigger_id] = name

    def headline(self) -> None:
        """The story begins."""
        self._began = time.time()
        self._console.print("\n[bold]seconds  what      trigger or event        about[/]")

    def event(self, event: dict[str, Any]) -> None:
        """An event stands in the log."""
        about = f"{_about(event)}, block {event['block_number']}"
        self._line(_moment(event), "event", event["event_type"], about)

    def match(self, delivery: dict[str, Any]) -> None:
        """A trigger fired: its action stands in the queue."""
        name = self._names.get(delivery["trigger_id"], "?")
        self._line(_moment(delivery), "match", name, f"event {delivery['event_seq']} in the log")

    def arrived(self, body: dict[str, Any], verified: bool) -> None:
        """A webhook came in at the receiver."""
        if verified:
            about = f"{_about(body['data']['event'])}, signature verified"
            self._line(time.time(), "delivery", body["data"]["trigger"]["name"], about)
        else:
            self._line(time.time(), "refused", "signature is not valid", "answered 401")

    def show(self, until: float = float("inf")) -> None:
        """Show what happened until then, in its order; the caller knows of everything that did."""
        ready = sorted((one for one in self._waiting if one[0] <= until), key=lambda one: one[0])
        self._waiting = [one for one in self._waiting if one[0] > until]
        for _, line in ready:
            self._console.print(line)

    def _line(self, moment: float, what: str, name: str, about: str) -> None:
        line = f"{moment - self._began:7.2f}  [{STYLES[what]}]{what:<8}[/]  {escape(name):<22}  {escape(about)}"
        self._waiting.append((moment, line))


def _moment(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["created_at"]).timestamp()


def _about(event: dict[str, Any]) -> str:
    """The agent and the score of an event, where it has them."""
    score = event["data"].get("score")
    agent = f"the {event['registry']} registry" if event["agent_id"] is None else f"agent {event['agent_id']}"
    return agent if score is None else f"{agent}, score {score}"
