"""``agentauri trigger explain`` and ``ledger``: why a trigger fired on an event or not, and what came of all it met."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.markup import escape

from agentauri.cli import triggers
from agentauri.cli.client import Client
from agentauri.cli.console import say
from agentauri.cli.printable import printable
from agentauri.cli.tables import members, print_table, write_json
from agentauri.errors import ConfigError

CONDITIONS = ("#", "held", "condition", "the event has", "computed", "remembered before", "error")
DELIVERIES = ("delivery", "type", "status", "reason")
DAYS = ("day (UTC)", "matched", "silenced", "fired", "deliveries")
RESULTS = {
    "fired": "[green]fired[/]",
    "cooled_down": "[yellow]was silenced[/]",
    "not_fired": "[yellow]did not fire[/]",
    "off": "[yellow]was off[/]",
    "unknown": "[red]may have fired or not[/]",
}
HELD = {True: "yes", False: "no", None: None}
NUMBER = re.compile(r"[0-9]{1,17}")
EVENT_FORM = "give its place in the log, such as 1042, which `agentauri events tail` shows, or its id."

Found = Mapping[str, Any]


def explain(client: Client, name: str, event: str, *, as_json: bool) -> None:
    """Print why a trigger fired on an event, or why not. Raises ConfigError or CallFailed."""
    trigger = triggers.find(client, name)
    found = client.get(f"/triggers/{trigger['id']}/explain", {"event_id": _event_id(client, event)})
    if as_json:
        write_json(found)
        return
    verb = RESULTS.get(found["result"], escape(printable(found["result"])))
    place = f"event #{found['event_seq']}{', which a reorganisation took back' if found['retracted'] else ''}"
    out = Console(highlight=False, soft_wrap=True)
    out.print(
        f"[bold]{escape(printable(trigger['name']))}[/bold] {verb} on {place}: {escape(printable(found['reason']))}"
    )
    if found["group"]:
        out.print(f"its group is {escape(printable(found['group']))}.")
    if found["conditions"]:
        print_table(CONDITIONS, _conditions(found["conditions"]))
    if found["deliveries"]:
        say("")
        print_table(
            DELIVERIES, ((one["id"], one["type"], one["status"], one["status_reason"]) for one in found["deliveries"])
        )


def show_ledger(client: Client, name: str, *, since: str | None, until: str | None, as_json: bool) -> None:
    """Print what a trigger matched, fired and sent, a line a day. Raises ConfigError or CallFailed."""
    given: dict[str, str | int | bool | list[str]] = {
        key: day for key, day in (("from", since), ("to", until)) if day is not None
    }
    trigger = triggers.find(client, name)
    days = client.get(f"/triggers/{trigger['id']}/ledger", given)
    if as_json:
        write_json(days)
    elif days:
        print_table(DAYS, map(_day, days))
    else:
        say(f"{printable(trigger['name'])} met nothing in these days.")


def _event_id(client: Client, event: str) -> str:
    """The id of the event that is given by its id, or by its place in the log. Raises ConfigError."""
    place = event.removeprefix("#")
    if NUMBER.fullmatch(place):
        # The list's cursor is the place before which it goes on.
        found = client.get("/events", {"limit": 1, "cursor": str(int(place) + 1)})
        if not found or found[0]["seq"] != int(place):
            raise ConfigError(f"the log has no event #{place}; see: agentauri events tail --since 1d")
        return str(found[0]["id"])
    try:
        return str(UUID(event))
    except ValueError:
        raise ConfigError(f"{printable(event)!r} is no event; {EVENT_FORM}") from None


def _conditions(parts: Iterable[Found], within: str = "") -> Iterator[tuple[object, ...]]:
    """The parts' rows, those of a group below it: they have the numbers that the reason speaks of."""
    for index, part in enumerate(parts):
        words = (part["condition_type"], part["config"].get("mode"), part["field"], part["operator"], part["value"])
        text = " ".join(str(word) for word in words if word is not None)
        computed, before = (members(part[name]) if part[name] else None for name in ("computed", "state_before"))
        yield f"{within}{index}", HELD[part["holds"]], text, part["actual"], computed, before, part["error"]
        yield from _conditions(part["conditions"], f"{within}{index}.")


def _day(one: Found) -> tuple[object, ...]:
    outcomes = ", ".join(f"{count} {status}" for status, count in one["outcomes"].items() if count)
    return one["day"], one["matched"], one["cooled_down"], one["fired"], outcomes or None
