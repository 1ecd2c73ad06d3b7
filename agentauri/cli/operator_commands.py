"""The commands of whoever runs the deployment: what they accept. Everything they need is imported when one runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentauri.cli.options import Api, AsJson, ConfigFile, Organization, read_settings

if TYPE_CHECKING:
    from agentauri.cli.keys import Keys

user = typer.Typer(name="user", help="Users, in the database of the settings.", no_args_is_help=True)
org = typer.Typer(name="org", help="Organizations, in the database of the settings.", no_args_is_help=True)
key = typer.Typer(
    name="key",
    help="API keys: through the API as who is logged in, or with --local in the database of the settings.",
    no_args_is_help=True,
)

secrets = typer.Typer(name="secrets", help="What is sealed in the database of the settings.", no_args_is_help=True)
Newest = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="The newest ones, so many at most.")]
Local = Annotated[
    bool, typer.Option("--local", help="Work on the database of the settings, as its operator; needs no login.")
]
MAX_DAYS = 36_500


def install(app: typer.Typer) -> None:
    """Add these commands to ``app``."""
    for group in (user, org, key, secrets):
        app.add_typer(group)


@secrets.command("rotate")
def secrets_rotate(config: ConfigFile = None) -> None:
    """Seal everything anew under secret_key: what previous_secret_keys sealed, while the service runs.

    May be stopped and started again. Keep the previous key a day longer than the run.
    """
    from agentauri.cli import secrets as sealed

    if not sealed.rotate(read_settings(config)):
        raise typer.Exit(1)


@user.command("create")
def user_create(
    email: Annotated[str, typer.Option(help="Taken for verified.")],
    username: Annotated[str | None, typer.Option(help="Letters, digits, '.', '_' and '-'.")] = None,
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    password: Annotated[
        str | None, typer.Option(metavar="-", help="- or nothing: asked for, or read from standard input.")
    ] = None,
    config: ConfigFile = None,
    json: AsJson = False,
) -> None:
    """Create a user with a personal organization, and print its webhook secret, this once."""
    from agentauri.cli import operating

    settings = read_settings(config)
    operating.create_user(settings, email=email, username=username, name=name, password=password, as_json=json)


@user.command("list")
def user_list(config: ConfigFile = None, limit: Newest = 100, json: AsJson = False) -> None:
    """List users, the newest first."""
    from agentauri.cli import operating

    operating.list_users(read_settings(config), limit=limit, as_json=json)


@org.command("list")
def org_list(config: ConfigFile = None, limit: Newest = 100, json: AsJson = False) -> None:
    """List organizations, the newest first."""
    from agentauri.cli import operating

    operating.list_organizations(read_settings(config), limit=limit, as_json=json)


@key.command("create")
def key_create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as triggers:read; may stand several times.")],
    organization: Organization = None,
    ip: Annotated[
        list[str] | None, typer.Option(help="A network that it may be used from; may stand several times.")
    ] = None,
    expires_days: Annotated[int | None, typer.Option(min=1, max=MAX_DAYS, help="Days that it is valid.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Begin its text with aur_test_.")] = False,
    api: Api = None,
    local: Local = False,
    config: ConfigFile = None,
    json: AsJson = False,
) -> None:
    """Create an API key, and print its text, this once."""
    from agentauri.cli import keys

    wanted = keys.order(name, scope, ip or [], expires_days=expires_days, is_test=test)
    with _keys(api, organization, config, local=local) as where:
        keys.create(where, wanted, as_json=json)


@key.command("list")
def key_list(
    organization: Organization = None,
    api: Api = None,
    local: Local = False,
    config: ConfigFile = None,
    json: AsJson = False,
) -> None:
    """List the organization's API keys, the newest first."""
    from agentauri.cli import keys

    with _keys(api, organization, config, local=local) as where:
        keys.show_list(where, as_json=json)


@key.command("revoke")
def key_revoke(
    wanted: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, name or beginning.")],
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    organization: Organization = None,
    api: Api = None,
    local: Local = False,
    config: ConfigFile = None,
) -> None:
    """Revoke an API key for good."""
    from agentauri.cli import keys

    with _keys(api, organization, config, local=local) as where:
        keys.revoke(where, wanted, reason=reason)


@contextmanager
def _keys(api: str | None, organization: str | None, config: Path | None, *, local: bool) -> "Iterator[Keys]":
    from agentauri.cli.keys import LocalKeys, RemoteKeys
    from agentauri.cli.session import open_client

    if local:
        yield LocalKeys(read_settings(config), organization)
        return
    with open_client(api, organization) as client:
        yield RemoteKeys(client)
