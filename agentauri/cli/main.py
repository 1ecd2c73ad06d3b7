"""The ``agentauri`` command: what it accepts, and one clear line for what goes wrong.

Every command imports what it needs when it runs, so ``--help`` and ``decode`` come at once.
"""

import sys
from typing import Annotated

import typer

from agentauri import __version__
from agentauri.cli import client_commands, console, operator_commands
from agentauri.cli.options import AsJson, ConfigFile, read_settings
from agentauri.errors import AgentAuriError

INTERRUPTED = 130
"""What shells expect of a command that Ctrl-C ended."""

app = typer.Typer(
    name="agentauri",
    help="Triggers over the ERC-8004 agent registries, on any EVM chain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
configuration = typer.Typer(
    name="config", help="Settings: what is in effect, and an example of all.", no_args_is_help=True
)
app.add_typer(configuration)


def run() -> None:
    """Run a command; an error that we raise on purpose becomes one line and exit status 1."""
    try:
        app()
    except AgentAuriError as error:
        console.fail(error.message)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    return None


@app.command()
def up(config: ConfigFile = None) -> None:
    """Run the service here until Ctrl-C: stores (embedded unless configured), Ray, API and actors."""
    from agentauri.cli.up import up as start

    start(read_settings(config, make_secret_key=True))


@app.command()
def demo(
    config: ConfigFile = None,
    once: Annotated[bool, typer.Option("--once", help="End when everything has arrived; status 1 if not.")] = False,
) -> None:
    """Show the whole way from an on-chain event to a signed webhook, on this machine."""
    from agentauri.cli.demo import demo as run

    if not run(read_settings(config, make_secret_key=True), once=once):
        raise typer.Exit(1)


@app.command()
def migrate(config: ConfigFile = None) -> None:
    """Bring the database's schema up to date."""
    from agentauri.cli.migrate import migrate as apply

    apply(read_settings(config))


@app.command()
def status(config: ConfigFile = None, json: AsJson = False) -> None:
    """Show actors, chains, the log and deliveries of the service that runs here."""
    from agentauri.cli.status import show

    show(read_settings(config), as_json=json)


@app.command()
def simulate(
    config: ConfigFile = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as the database takes them.")] = 10.0,
    count: Annotated[int | None, typer.Option(min=1, help="Events in all; without it, until Ctrl-C.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    chain_id: Annotated[
        int, typer.Option(min=1, help="The chain they are said to be of; none that is indexed.")
    ] = 1337,
) -> None:
    """Write realistic ERC-8004 events into the log of the service that runs here."""
    from agentauri.cli.simulate import Order
    from agentauri.cli.simulate import simulate as write

    write(read_settings(config), Order(chain_id, rate, count, seed))


@app.command()
def decode(
    file: Annotated[
        str,
        typer.Argument(
            help='Logs: an eth_getLogs answer, or an object with "logs" and "addresses"; - reads standard input.'
        ),
    ],
    chain_id: Annotated[int, typer.Option(min=1, help="The chain that the logs are of.")] = 1,
) -> None:
    """Print the events of logs, one JSON object a line."""
    from agentauri.cli.decode import decode as show

    if not show(file, chain_id):
        raise typer.Exit(1)


@app.command()
def doctor(config: ConfigFile = None) -> None:
    """Check whether this machine and these settings can run the service."""
    from agentauri.cli.doctor import doctor as check

    if not check(read_settings(config)):
        raise typer.Exit(1)


@app.command()
def bench(
    which: Annotated[str, typer.Argument(help="engine, path, backfill, latency or api.", metavar="BENCH")],
    json: AsJson = False,
) -> None:
    """Measure the service on this machine, with data of its own; status 1 when a bar is missed."""
    from agentauri.cli.bench import Bench
    from agentauri.cli.bench import bench as run

    if which not in list(Bench):
        raise typer.BadParameter(f"there is no bench {which}; there are {', '.join(Bench)}.")
    if not run(Bench(which), as_json=json):
        raise typer.Exit(1)


@configuration.command("show")
def config_show(config: ConfigFile = None) -> None:
    """Print the settings in effect, secrets masked."""
    from agentauri import config_text

    typer.echo(config_text.show(read_settings(config)), nl=False)


@configuration.command("example")
def config_example() -> None:
    """Print a commented file with every setting."""
    from agentauri import config_text

    typer.echo(config_text.example(), nl=False)


client_commands.install(app)
operator_commands.install(app)
