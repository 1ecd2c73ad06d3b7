"""``agentauri events tail`` and ``deliveries tail``: what happens, as it happens, until Ctrl-C.

Lines for people are made safe for the terminal: tags and addresses of files are written by strangers.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
from rich.console import Console
from rich.text import Text

from agentauri.cli import triggers
from agentauri.cli.client import Client, Params
from agentauri.cli.follow import Message, follow
from agentauri.cli.printable import printable
from agentauri.errors import ConfigError
from agentauri.models.delivery import DeliveryStatus

PAGE = 100
MAX_BEFORE = 10_000
"""Events that ``--since`` shows at most; a longer past is read by GET /events."""
AGO = re.compile(r"([0-9]{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TOLD = ("score", "response", "tag1", "tag2", "tag", "client_address", "validator_address", "owner", "metadata_key",
        "agent_uri", "feedback_uri", "request_uri", "response_uri")  # fmt: skip
"""Members of an event's data that a line shows, where there are some."""
MAX_SHOWN = 48
STATUS_COLORS = {
    "delivered": "green", "dead": "red", "retrying": "yellow", "held": "yellow", "suppressed": "yellow",
    "cancelled": "dim", "pending": "cyan", "delivering": "cyan",
}  # fmt: skip

EVENT, RETRACTION = "event", "retraction"

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries to show; ``trigger`` is a name or an id. Nothing given: all."""

    statuses: tuple[str, ...] = ()
    trigger: str | None = None
    channel: str | None = None


def tail_events(client: Client, filters: Params, *, since: str | None, count: int | None, as_json: bool) -> None:
    """Print events as they come, before them those since a time or after a place in the log. Ends by Ctrl-C."""
    earlier, last_id = ([], "") if since is None else _since(client, filters, since)
    past = (Message(EVENT, one) for one in earlier)
    now = follow(client, "/events/stream", filters, last_id=last_id)
    _print((one for part in (past, now) for one in part), event_line, count=count, as_json=as_json)


def tail_deliveries(client: Client, wanted: Wanted, *, count: int | None, as_json: bool) -> None:
    """Print deliveries as they come and change. Raises ConfigError. Ends by Ctrl-C."""
    check_statuses(wanted.statuses)
    trigger_id = None if wanted.trigger is None else trigger_id_of(client, wanted.trigger)

    def is_wanted(message: Message) -> bool:
        status, channel, trigger = (message.data.get(name) for name in ("status", "channel", "trigger_id"))
        return (
            (not wanted.statuses or status in wanted.statuses)
            and wanted.channel in (None, channel)
            and trigger_id in (None, trigger)
        )

    found = filter(is_wanted, follow(client, "/deliveries/stream", {}))
    _print(found, delivery_line, count=count, as_json=as_json)


def check_statuses(statuses: Iterable[str]) -> None:
    """Raise ConfigError on a status that there is not."""
    if unknown := [one for one in statuses if one not in list(DeliveryStatus)]:
        raise ConfigError(f"there is no status {printable(unknown[0])!r}; there are {', '.join(DeliveryStatus)}.")


def event_line(message: Message) -> Text:
    """One event for people, or that some were taken back."""
    event = message.data
    if message.kind == RETRACTION:
        text = f"{event.get('retracted_count')} events from #{event.get('first_retracted_seq')} on were taken back"
        line = Text(f"{_time(event.get('created_at'))} #{event.get('seq')} ", style="dim")
        return line.append(f"{text} by a reorganisation of chain {event.get('chain_id')}", style="red")
    line = Text(f"{_time(event.get('block_timestamp'))} ", style="dim")
    line.append(f"#{event.get('seq')} ", style="dim")
    line.append(printable(event.get("event_type")), style="bold red strike" if event.get("retracted_at") else "bold")
    line.append(f" chain {event.get('chain_id')}")
    if event.get("agent_id") is not None:
        line.append(f" agent {printable(event['agent_id'])}", style="cyan")
    data = event.get("data") or {}
    for name in TOLD:
        if data.get(name) not in (None, ""):
            line.append(f" {name}=", style="dim")
            line.append(printable(data[name], MAX_SHOWN))
    if event.get("retracted_at"):
        line.append(" taken back by a reorganisation", style="red")
    return line


def delivery_line(message: Message) -> Text:
    """One delivery for people."""
    delivery = message.data
    status = str(delivery.get("status"))
    line = Text(f"{_time(delivery.get('updated_at'))} ", style="dim")
    line.append(f"{printable(status):<10} ", style=STATUS_COLORS.get(status, ""))
    line.append(f"{printable(delivery.get('channel'))} {delivery.get('id')}")
    line.append(f" trigger {delivery.get('trigger_id')} event #{delivery.get('event_seq')}", style="dim")
    if delivery.get("attempt_count"):
        line.append(f" attempts {delivery['attempt_count']}")
    if delivery.get("status_reason"):
        line.append(f" {printable(delivery['status_reason'])}", style="yellow")
    return line


def _print(found: Iterable[Message], line: Callable[[Message], Text], *, count: int | None, as_json: bool) -> None:
    """Print each as it comes. A reader that goes away, as ``head`` does, ends it quietly; so does Ctrl-C."""
    out = Console(highlight=False, soft_wrap=True)
    try:
        for one in islice(found, count):
            if as_json:
                shown = {RETRACTION: one.data} if one.kind == RETRACTION else one.data
                sys.stdout.write(orjson.dumps(shown).decode() + "\n")
            else:
                out.print(line(one))
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass  # the way to end it
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more at its end


def _since(client: Client, filters: Params, since: str) -> tuple[list[Found], str]:
    """The events since then, the oldest first, and the place in the log after which the stream goes on."""
    if since.isascii() and since.isdigit():
        return [], since
    newest = client.get("/events", {"limit": 1})
    place = max((one["seq"] for one in newest), default=0)
    found: list[Found] = []
    params: dict[str, str | int | bool | list[str]] = {**filters, "from": parse_since(since, datetime.now(UTC))}
    cursor: str | None = None
    while len(found) < MAX_BEFORE:
        page = client.call("GET", "/events", params={**params, "limit": PAGE} | ({"cursor": cursor} if cursor else {}))
        found += page["data"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None or not page["pagination"]["has_more"]:
            break
    else:
        raise ConfigError(f"there are more than {MAX_BEFORE} events since then; choose a later time, or filters.")
    return found[::-1], str(max([place, *(one["seq"] for one in found)]))


def parse_since(text: str, now: datetime) -> str:
    """A time as the API takes it, from RFC 3339 or from how long ago it is, such as 10m. Raises ConfigError."""
    ago = AGO.fullmatch(text)
    try:
        if ago:
            moment = now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError):
        raise ConfigError(
            "--since takes how long ago (30s, 10m, 2h, 1d), a time (2026-01-31T12:00:00Z), or a place in the log."
        ) from None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def trigger_id_of(client: Client, name: str) -> str:
    """The id of a trigger that is given by its id or its name. Raises ConfigError."""
    try:
        return str(UUID(name))
    except ValueError:
        return str(triggers.find(client, name)["id"])


def _time(raw: object) -> str:
    """The time of day here, of a time that the API gave."""
    try:
        return datetime.fromisoformat(str(raw)).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return printable(raw)
