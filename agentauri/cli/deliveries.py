"""``agentauri deliveries list``, ``show`` and ``replay``: what was sent, how each attempt ended, and sending again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from agentauri.cli.client import Client
from agentauri.cli.console import say
from agentauri.cli.printable import printable
from agentauri.cli.tables import print_table, write_json
from agentauri.cli.tail import Wanted, check_statuses, parse_since, trigger_id_of
from agentauri.errors import ConfigError

PAGE = 100
NO_CHOICE = "name a delivery by its id, or say --dead for all dead ones that fit --trigger, --since and --error."
ONE_OR_MANY = "--trigger, --since and --error choose among dead deliveries; say --dead too, and no id."
SHOWN = (
    "id", "status", "status_code", "status_reason", "type", "channel", "trigger_id", "action_id", "event_id",
    "event_seq", "attempt_count", "next_attempt_at", "created_at", "delivered_at",
)  # fmt: skip
LINE = ("created_at", "status", "channel", "id", "attempt_count", "status_reason")
ATTEMPT = ("number", "started_at", "duration_ms", "outcome", "http_status", "error_message", "response_excerpt")

Found = dict[str, Any]


def show_list(client: Client, wanted: Wanted, *, count: int, as_json: bool) -> None:
    """Print the newest that fit. Raises ConfigError."""
    check_statuses(wanted.statuses)
    params: dict[str, str | int | bool | list[str]] = {"limit": min(count, PAGE)}
    if wanted.statuses:
        params["status"] = list(wanted.statuses)
    if wanted.trigger is not None:
        params["trigger_id"] = trigger_id_of(client, wanted.trigger)
    if wanted.channel is not None:
        params["channel"] = wanted.channel
    found = list(islice(_pages(client, params), count))
    if as_json:
        write_json(found)
    else:
        print_table(LINE, ([one.get(name) for name in LINE] for one in found))


def _pages(client: Client, params: dict[str, str | int | bool | list[str]]) -> Iterator[Found]:
    cursor: str | None = ""
    while cursor is not None:
        page = client.call("GET", "/deliveries", params={**params, "cursor": cursor} if cursor else params)
        yield from page["data"]
        cursor = page["pagination"]["next_cursor"]


def show(client: Client, id_: str, *, as_json: bool) -> None:
    """Print one with its attempts. Raises ConfigError."""
    found = client.get(f"/deliveries/{_id(id_)}")
    if as_json:
        write_json(found)
        return
    print_table(("", ""), ([name, found.get(name)] for name in SHOWN))
    if found["attempts"]:
        say("")
        print_table(ATTEMPT, ([one.get(name) for name in ATTEMPT] for one in found["attempts"]))


def replay(client: Client, id_: str) -> None:
    """Send one again. Raises ConfigError."""
    found = client.call("POST", f"/deliveries/{_id(id_)}/replay")["data"]
    say(f"delivery {printable(found['id'])} is sent again; its status is {printable(found['status'])}.")


def replay_dead(client: Client, *, dead: bool, trigger: str | None, since: str | None, error: str | None) -> None:
    """Send all dead ones again that fit, call after call until there are no more. Raises ConfigError."""
    if not dead:
        raise ConfigError(ONE_OR_MANY if trigger or since or error else NO_CHOICE)
    body: dict[str, Any] = {"to": datetime.now(UTC).isoformat()}
    if trigger is not None:
        body["trigger_id"] = trigger_id_of(client, trigger)
    if since is not None:
        body["from"] = parse_since(since, datetime.now(UTC))
    if error is not None:
        body["error"] = error
    total, more = 0, True
    while more:
        done = client.call("POST", "/deliveries/replay", body)["data"]
        total, more = total + done["replayed"], done["has_more"] and done["replayed"] > 0
    say(f"{total} {'delivery is' if total == 1 else 'deliveries are'} sent again.")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ConfigError(f"{printable(text)!r} is not the id of a delivery; `deliveries list` shows them.") from None
