"""``agentauri trigger test``: what triggers would have done with events that happened; nothing is sent or stored.

A long test runs at the API and is followed from here, through broken connections; Ctrl-C cancels it there.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agentauri.cli import trigger_file, triggers
from agentauri.cli.client import Client
from agentauri.cli.console import console, say
from agentauri.cli.follow import follow
from agentauri.cli.printable import printable
from agentauri.cli.refusals import CallFailed
from agentauri.cli.tables import members, print_table, write_json
from agentauri.errors import ConfigError

COLUMNS = ("block time", "event", "group", "computed", "would send")
BARS = "▁▂▃▄▅▆▇█"
NO_BAR = " "
MOST_BARS = 60
RUNNING = "running"
KINDS = ({"last"}, {"event_id"}, {"from_block", "to_block"}, {"from", "to"})
"""Of each kind of range the members that it has."""
ONE_RANGE = "give one of --last, --event, --from-block with --to-block, or --from with --to."


@dataclass(frozen=True, slots=True)
class Range:
    """Which events; what is None is left out."""

    last: str | None = None
    event: str | None = None
    from_block: int | None = None
    to_block: int | None = None
    since: str | None = None
    until: str | None = None

    def body(self) -> dict[str, Any]:
        """As the API takes it. Raises ConfigError where nothing is given, or several kinds of range."""
        last: object = int(self.last) if self.last is not None and self.last.isdecimal() else self.last
        given = {
            "last": last, "event_id": self.event, "from_block": self.from_block, "to_block": self.to_block,
            "from": self.since, "to": self.until,
        }  # fmt: skip
        body = {name: value for name, value in given.items() if value is not None}
        if sum(1 for kind in KINDS if kind & body.keys()) != 1:
            raise ConfigError(ONE_RANGE)
        return body


def test(client: Client, wanted: Range, *, file: str | None, name: str | None, as_json: bool) -> None:
    """Test the triggers of a file, or the stored one of that name, and show what was found. Raises AgentAuriError."""
    if (file is None) == (name is None):
        raise ConfigError("give a file with --file, or the name or id of a trigger.")
    body = wanted.body()
    found: list[dict[str, Any]] = []
    for title, path, sent in _asked(client, file, name):
        tested = _run(client, title, path, {**sent, **body})
        found.append(tested)
        if not as_json:
            _show(title, tested)
    if as_json:
        write_json(found[0] if len(found) == 1 else found)


def _asked(client: Client, file: str | None, name: str | None) -> Iterable[tuple[str, str, dict[str, Any]]]:
    """For each trigger its name, where it is tested, and what goes there of it."""
    if name is not None:
        stored = triggers.find(client, name)
        yield stored["name"], f"/triggers/{stored['id']}/test", {}
    elif file is not None:
        for one in trigger_file.load(file, os.environ):
            yield str(one.get("name", "")), "/triggers/test", {"trigger": one}


def _run(client: Client, title: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The test when it is done, with a bar while it runs. Raises CallFailed."""
    begun: dict[str, Any] = client.call("POST", path, {**body, "wait_seconds": 0})["data"]
    if begun["status"] != RUNNING:
        return begun
    place = f"/triggers/tests/{begun['id']}"
    try:
        return _followed(client, title, place, begun)
    except KeyboardInterrupt:
        client.call("DELETE", place)
        say(f"cancelled the test of {printable(title)}.")
        raise


def _followed(client: Client, title: str, place: str, begun: Mapping[str, Any]) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[fired]} fired"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(printable(title)), total=begun["total"], fired=begun["fired"])
        for message in follow(client, f"{place}/stream", {}):
            told = message.data
            bar.update(task, completed=told["evaluated"], fired=told["fired"])
            if message.kind == "done":
                return told
    raise CallFailed("the stream of the test ended before the test did.")


def _show(title: str, found: Mapping[str, Any]) -> None:
    silenced = f", {found['cooled_down']:,} silenced by its cool-down" if found["cooled_down"] else ""
    is_whole = found["status"] == "done"
    of = _counted(found["evaluated"], "event")
    if not is_whole:
        of = f"{found['evaluated']:,} of {_counted(found['total'], 'event')}"
    out = Console(highlight=False, soft_wrap=True)
    out.print(f"[bold]{escape(printable(title))}[/bold]: fired {_counted(found['fired'], 'time')} on {of}{silenced}.")
    if not is_whole:
        say(f"the test is {found['status']}{': ' + found['error'] if found['error'] else ''}.")
    elif found["error"]:
        say(f"it failed on events: {printable(found['error'])}")
    if found["days"]:
        days = {date.fromisoformat(one["day"]): one["fired"] for one in found["days"]}
        out.print(f"{min(days)} {sparkline(days)} {max(days)}")
    if found["matches"]:
        print_table(COLUMNS, map(_row, found["matches"]))
    left = found["fired"] - len(found["matches"])
    if left:
        say(f"and {left:,} more.")


def sparkline(days: Mapping[date, int]) -> str:
    """Firings from the first day to the last, a bar for each day, or for several where there are many."""
    first, length = min(days), (max(days) - min(days)).days + 1
    width = -(-length // MOST_BARS)
    sums = [
        sum(days.get(first + timedelta(days=day), 0) for day in range(start, min(start + width, length)))
        for start in range(0, length, width)
    ]
    most = max(sums)
    return "".join(BARS[-(-count * len(BARS) // most) - 1] if count else NO_BAR for count in sums)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _row(match: Mapping[str, Any]) -> tuple[object, ...]:
    computed = " ".join(members(values) for values in match["computed"].values())
    sends = "; ".join(_sends(action) for action in match["actions"])
    return match["block_timestamp"], match["event_id"], match["group"] or None, computed or None, sends or None


def _sends(action: Mapping[str, Any]) -> str:
    """An action in a few words: whether it can be sent, and where it goes."""
    rendered = action["rendered"]
    if rendered is None:
        return f"{action['action_type']}: {action['error']}"
    place = rendered.get("url") or rendered.get("server_url") or rendered.get("chat_id") or ""
    return f"{rendered.get('method', action['action_type'])} {place}"
