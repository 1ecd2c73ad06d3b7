"""``agentauri trigger``: the organization's triggers, kept as a file says and looked at one by one."""

import difflib
import os
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

from agentauri.cli import trigger_file, trigger_plan
from agentauri.cli.client import Client
from agentauri.cli.console import say
from agentauri.cli.printable import printable
from agentauri.cli.refusals import CallFailed
from agentauri.cli.tables import print_table, write_json
from agentauri.cli.trigger_file import START
from agentauri.cli.trigger_plan import Change, Create, Delete, Keep, Step
from agentauri.errors import ConfigError
from agentauri.serve.triggers.schemas import READ_ONLY

COLUMNS = ("name", "id", "on", "chain", "registry", "conditions", "actions", "fired", "last fired")
SECRETS_NOTE = "secrets are sent again: stored ones cannot be compared"
DIFF_COLORS = {"+": "green", "-": "red"}


def apply(client: Client, file: str, *, prune: bool, dry_run: bool) -> None:
    """Make the API hold the triggers of a file, one line each. Raises ConfigError or CallFailed; ends at the first."""
    wanted = trigger_file.load(file, os.environ)
    stored = list(client.pages("/triggers"))
    steps = trigger_plan.plan(wanted, stored, read_only=READ_ONLY, prune=prune)
    out = Console(highlight=False, soft_wrap=True)
    for step in steps:
        if dry_run:
            out.print(f"{_verb(step, 'would ')} {escape(printable(step.name))}{_note(step)}")
            _print_difference(out, step)
        else:
            _carry_out(client, step)
            out.print(f"{_verb(step)} {escape(printable(step.name))}{_note(step)}")
    say(f"{'nothing was done; with --dry-run left out: ' if dry_run else ''}{_summary(steps)} at {client.api}.")


def show_list(client: Client, *, search: str | None, enabled: bool | None, as_json: bool) -> None:
    """Print the organization's triggers, the newest first."""
    params: dict[str, str | int | bool | list[str]] = {}
    if search is not None:
        params["search"] = search
    if enabled is not None:
        params["enabled"] = enabled
    found = list(client.pages("/triggers", params))
    if as_json:
        write_json(found)
        return
    if found:
        print_table(COLUMNS, map(_row, found))
    else:
        say(f"no triggers at {client.api}.")


def show(client: Client, name: str, *, as_yaml: bool, as_json: bool) -> None:
    """Print one trigger: for people, or as ``apply`` reads it. Raises ConfigError or CallFailed."""
    if as_yaml and as_json:
        raise ConfigError("give --yaml or --json, not both.")
    found = find(client, name)
    if as_json:
        write_json(trigger_file.escape(found))
        return
    if not as_yaml:
        say(f"{found['id']}, {_state(found)}; fired {found['fired_count']} times, {_last(found)}.")
        if found[START] is not None and found[START]["status"] == "working":
            say(f"its past is worked off up to {found[START]['position']} of {found[START]['until']} in the log.")
        for problem in filter(None, (found["disabled_reason"], found["last_error"])):
            say(printable(problem))
    sys.stdout.write(trigger_file.dump(found))


def delete(client: Client, name: str, *, yes: bool) -> None:
    """Delete a trigger, asking first. Raises ConfigError or CallFailed."""
    found = find(client, name)
    shown = printable(found["name"])
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("there is nobody to ask; give --yes to delete.")
        typer.confirm(f"Delete {shown} ({found['id']}) and cancel its waiting deliveries?", abort=True, err=True)
    client.call("DELETE", f"/triggers/{found['id']}")
    say(f"deleted {shown}.")


def switch(client: Client, name: str, *, enabled: bool) -> None:
    """Switch a trigger on or off. Raises ConfigError or CallFailed."""
    found = find(client, name)
    word = "enable" if enabled else "disable"
    changed = client.call("POST", f"/triggers/{found['id']}/{word}")["data"]
    already = "already " if found["enabled"] == enabled else ""
    say(f"{printable(changed['name'])} is {already}{_state(changed)}.")


def find(client: Client, name: str) -> dict[str, Any]:
    """The trigger of that id or name. Raises ConfigError, or CallFailed."""
    try:
        found: dict[str, Any] = client.get(f"/triggers/{UUID(name)}")
        return found
    except ValueError:
        pass  # a name
    except CallFailed as error:
        if error.status != 404:  # else it may be a name that looks like an id
            raise
    same = [one for one in client.pages("/triggers", {"search": name}) if one["name"] == name]
    if not same:
        raise ConfigError(f"there is no trigger {printable(name)!r} at {client.api}; see: agentauri trigger list")
    if len(same) > 1:
        ids = ", ".join(one["id"] for one in same)
        raise ConfigError(f"{len(same)} triggers have the name {printable(name)!r}; give an id: {ids}.")
    return same[0]


def _carry_out(client: Client, step: Step) -> None:
    try:
        match step:
            case Create():
                client.call("POST", "/triggers", step.body)
            case Change():
                client.call("PATCH", f"/triggers/{step.id}", step.body)
            case Delete():
                client.call("DELETE", f"/triggers/{step.id}")
            case Keep():
                pass
    except CallFailed as error:
        if error.status == 401:
            raise
        text = f"{printable(step.name)}: {error.message} What is listed above is done."
        raise CallFailed(text, error.status, error.code) from error


def _verb(step: Step, would: str = "") -> str:
    match step:
        case Create():
            return "[green]would create[/]" if would else "[green]created[/]"
        case Change():
            return "[yellow]would change[/]" if would else "[yellow]changed[/]"
        case Delete():
            return "[red]would delete[/]" if would else "[red]deleted[/]"
        case Keep():
            return "[dim]unchanged[/]"


def _note(step: Step) -> str:
    if isinstance(step, Create) and step.body.get(START) not in (None, "now"):
        return " [dim](begins in the past)[/]"
    if not isinstance(step, Change):
        return ""
    names = [name for name in step.body if step.before[name] != step.after[name]]
    if step.secrets:
        names.append(SECRETS_NOTE)
    return f" [dim]({', '.join(names)})[/]"


def _print_difference(out: Console, step: Step) -> None:
    if not isinstance(step, Create | Change):
        return
    before = trigger_file.dump(step.before) if isinstance(step, Change) else ""
    after = trigger_file.dump(step.after)
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))
    for line in lines[2:]:
        color = DIFF_COLORS.get(line[0], "dim")
        out.print(f"  [{color}]{escape(printable(line, 1000))}[/]")


def _summary(steps: list[Step]) -> str:
    kinds: list[tuple[str, Callable[[Step], bool]]] = [
        ("created", lambda step: isinstance(step, Create)),
        ("changed", lambda step: isinstance(step, Change)),
        ("unchanged", lambda step: isinstance(step, Keep)),
        ("deleted", lambda step: isinstance(step, Delete)),
    ]
    counts = [(word, sum(map(is_kind, steps))) for word, is_kind in kinds]
    return ", ".join(f"{count} {word}" for word, count in counts if count)


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        one["name"], one["id"], "yes" if one["enabled"] else "no", one["chain_id"] or "any", one["registry"] or "any",
        len(one["conditions"]), len(one["actions"]), one["fired_count"], one["last_fired_at"],
    )  # fmt: skip


def _state(one: dict[str, Any]) -> str:
    return "on" if one["enabled"] else "off"


def _last(one: dict[str, Any]) -> str:
    return f"last at {one['last_fired_at']}" if one["last_fired_at"] else "never so far"
