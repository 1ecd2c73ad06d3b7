"""The commands that call an API: what they accept. Everything they need is imported when one runs."""

from typing import Annotated

import typer

from agentauri.cli.options import Api, AsJson, JsonLines, Organization

trigger = typer.Typer(name="trigger", help="Triggers, managed through the API.", no_args_is_help=True)
events = typer.Typer(name="events", help="Events of the chains.", no_args_is_help=True)
deliveries = typer.Typer(name="deliveries", help="What triggers send.", no_args_is_help=True)

DeliveryId = Annotated[str, typer.Argument(metavar="ID", help="The delivery's id.")]
NameOrId = Annotated[str, typer.Argument(metavar="NAME|ID", help="The trigger's name or id.")]
Count = Annotated[int | None, typer.Option(min=1, help="End after so many.")]
ChainId = Annotated[int | None, typer.Option(min=1, help="Of this chain alone.")]
Statuses = Annotated[
    list[str] | None, typer.Option(help="In this status, such as delivered or dead; may stand several times.")
]
OfTrigger = Annotated[str | None, typer.Option(metavar="NAME|ID", help="Of this trigger alone.")]
Channel = Annotated[str | None, typer.Option(help="rest, telegram or mcp.")]


def install(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    for command in (login, logout, whoami, listen):
        app.command()(command)
    for group in (trigger, events, deliveries):
        app.add_typer(group)


def login(
    api: Api = None,
    email: Annotated[str | None, typer.Option(help="Log in with this e-mail; the password is asked for.")] = None,
    username: Annotated[str | None, typer.Option(help="Log in with this user name.")] = None,
    key: Annotated[
        str | None, typer.Option(metavar="-", help="Use an API key: - asks for it, or reads standard input.")
    ] = None,
) -> None:
    """Log in to an API, and keep the login for the commands that follow."""
    from agentauri.cli.login import login as begin

    begin(api, email=email, username=username, key=key)


def logout(api: Api = None) -> None:
    """End the login to an API."""
    from agentauri.cli.login import logout as end

    end(api)


def whoami(api: Api = None, json: AsJson = False) -> None:
    """Show as whom commands call the API, with the organizations."""
    from agentauri.cli.login import whoami as show

    show(api, as_json=json)


@trigger.command("apply")
def trigger_apply(
    file: Annotated[str, typer.Option("--file", "-f", help="YAML or JSON; - is standard input.")],
    api: Api = None,
    organization: Organization = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete triggers that the file does not have.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
) -> None:
    """Create triggers that are missing and change those that differ; a trigger is told by its name.

    What the file leaves out has its default; whether a trigger is enabled stays as it is.
    """
    from agentauri.cli import triggers
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        triggers.apply(client, file, prune=prune, dry_run=dry_run)


@trigger.command("test")
def trigger_test(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|ID]", help="A trigger that is stored.")] = None,
    file: Annotated[str | None, typer.Option("--file", "-f", help="YAML or JSON; - is standard input.")] = None,
    api: Api = None,
    organization: Organization = None,
    last: Annotated[str | None, typer.Option(help="Events of so long a time (30d, 12h), or so many (1000).")] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="One event.")] = None,
    from_block: Annotated[int | None, typer.Option(min=0, help="From this block on.")] = None,
    to_block: Annotated[int | None, typer.Option(min=0, help="Up to this block.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="From this time on (RFC 3339).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this time.")] = None,
    json: AsJson = False,
) -> None:
    """Show what triggers would have done with events that happened. Sends and stores nothing; Ctrl-C cancels."""
    from agentauri.cli import trigger_trial
    from agentauri.cli.session import open_client

    wanted = trigger_trial.Range(last, event, from_block, to_block, since, until)
    with open_client(api, organization) as client:
        trigger_trial.test(client, wanted, file=file, name=name, as_json=json)


@trigger.command("explain")
def trigger_explain(
    name: NameOrId,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Its place in the log, such as 1042, or its id.")],
    api: Api = None,
    organization: Organization = None,
    json: AsJson = False,
) -> None:
    """Show why a trigger fired on an event, or why not: each condition, what it compared, and what was sent."""
    from agentauri.cli import trigger_why
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        trigger_why.explain(client, name, event, as_json=json)


@trigger.command("ledger")
def trigger_ledger(
    name: NameOrId,
    api: Api = None,
    organization: Organization = None,
    since: Annotated[str | None, typer.Option("--from", help="The first day; 30 days back by default.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="The last day; today by default.")] = None,
    json: AsJson = False,
) -> None:
    """Show what a trigger matched, fired and sent, a line a day."""
    from agentauri.cli import trigger_why
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        trigger_why.show_ledger(client, name, since=since, until=until, as_json=json)


@trigger.command("list")
def trigger_list(
    api: Api = None,
    organization: Organization = None,
    search: Annotated[str | None, typer.Option(help="Part of the name or the description.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Such ones alone.")] = None,
    json: AsJson = False,
) -> None:
    """List triggers, the newest first."""
    from agentauri.cli import triggers
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        triggers.show_list(client, search=search, enabled=enabled, as_json=json)


@trigger.command("show")
def trigger_show(
    name: NameOrId,
    api: Api = None,
    organization: Organization = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="As a file for apply, and nothing else.")] = False,
    json: Annotated[bool, typer.Option("--json", help="All of it as JSON; apply takes that too.")] = False,
) -> None:
    """Show a trigger."""
    from agentauri.cli import triggers
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        triggers.show(client, name, as_yaml=yaml, as_json=json)


@trigger.command("delete")
def trigger_delete(
    name: NameOrId,
    api: Api = None,
    organization: Organization = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a trigger and cancel its waiting deliveries."""
    from agentauri.cli import triggers
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        triggers.delete(client, name, yes=yes)


@trigger.command("enable")
def trigger_enable(name: NameOrId, api: Api = None, organization: Organization = None) -> None:
    """Switch a trigger on; its state starts afresh."""
    _switch(name, api, organization, enabled=True)


@trigger.command("disable")
def trigger_disable(name: NameOrId, api: Api = None, organization: Organization = None) -> None:
    """Switch a trigger off; deliveries that wait are still sent."""
    _switch(name, api, organization, enabled=False)


def _switch(name: str, api: str | None, organization: str | None, *, enabled: bool) -> None:
    from agentauri.cli import triggers
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        triggers.switch(client, name, enabled=enabled)


@events.command("tail")
def events_tail(
    api: Api = None,
    chain_id: ChainId = None,
    registry: Annotated[str | None, typer.Option(help="identity, reputation or validation.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="Such as NewFeedback.")] = None,
    agent_id: Annotated[str | None, typer.Option("--agent", help="Of this agent.")] = None,
    address: Annotated[str | None, typer.Option(help="Where this address takes part.")] = None,
    tag: Annotated[str | None, typer.Option(help="With this tag.")] = None,
    search: Annotated[str | None, typer.Option(help="Whose type, transaction or data contain this text.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Begin so long ago (10m, 2h), at a time, or after a place in the log.")
    ] = None,
    count: Count = None,
    json: JsonLines = False,
) -> None:
    """Show events as they come, until Ctrl-C."""
    from agentauri.cli import tail
    from agentauri.cli.session import open_client

    filters = _given(
        chain_id=chain_id, registry=registry, event_type=event_type, agent_id=agent_id, address=address, tag=tag,
        search=search,
    )  # fmt: skip
    with open_client(api) as client:
        tail.tail_events(client, filters, since=since, count=count, as_json=json)


@deliveries.command("tail")
def deliveries_tail(
    api: Api = None,
    organization: Organization = None,
    status: Statuses = None,
    trigger: OfTrigger = None,
    channel: Channel = None,
    count: Count = None,
    json: JsonLines = False,
) -> None:
    """Show deliveries as they are made and change, until Ctrl-C."""
    from agentauri.cli import tail
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        wanted = tail.Wanted(tuple(status or ()), trigger, channel)
        tail.tail_deliveries(client, wanted, count=count, as_json=json)


@deliveries.command("list")
def deliveries_list(
    api: Api = None,
    organization: Organization = None,
    status: Statuses = None,
    trigger: OfTrigger = None,
    channel: Channel = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    json: AsJson = False,
) -> None:
    """List deliveries, the newest first."""
    from agentauri.cli import deliveries
    from agentauri.cli.session import open_client
    from agentauri.cli.tail import Wanted

    with open_client(api, organization) as client:
        wanted = Wanted(tuple(status or ()), trigger, channel)
        deliveries.show_list(client, wanted, count=count, as_json=json)


@deliveries.command("show")
def deliveries_show(id: DeliveryId, api: Api = None, organization: Organization = None, json: AsJson = False) -> None:
    """Show a delivery with every attempt."""
    from agentauri.cli import deliveries
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        deliveries.show(client, id, as_json=json)


@deliveries.command("replay")
def deliveries_replay(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="One; else those that the options name.")] = None,
    api: Api = None,
    organization: Organization = None,
    dead: Annotated[bool, typer.Option("--dead", help="All dead ones that fit the other options.")] = False,
    trigger: Annotated[str | None, typer.Option(metavar="NAME|ID", help="Of this trigger alone.")] = None,
    since: Annotated[str | None, typer.Option(help="Made so long ago at most (10m, 2h, 1d), or since a time.")] = None,
    error: Annotated[str | None, typer.Option(help="Whose reason contains this text.")] = None,
) -> None:
    """Send a dead, suppressed or cancelled delivery again, or many dead ones; they keep their ids."""
    from agentauri.cli import deliveries
    from agentauri.cli.session import open_client

    with open_client(api, organization) as client:
        if id is not None:
            deliveries.replay(client, id)
        else:
            deliveries.replay_dead(client, dead=dead, trigger=trigger, since=since, error=error)


def listen(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on this machine; 0: any.")] = 9900,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            envvar="AGENTAURI_WEBHOOK_SECRET",
            help="whsec_… or whpk_…; may stand several times. In the environment other users do not see it.",
        ),
    ] = None,
    status: Annotated[int, typer.Option(min=200, max=599, help="What to answer to what is verified.")] = 204,
    count: Count = None,
    json: JsonLines = False,
) -> None:
    """Receive webhooks on this machine: verify their signatures and show them, until Ctrl-C."""
    from agentauri.cli.listen import listen as run

    run(port, tuple(secret or ()), status=status, count=count, as_json=json)


def _given(**values: str | int | bool | list[str] | None) -> dict[str, str | int | bool | list[str]]:
    return {name: value for name, value in values.items() if value is not None}
