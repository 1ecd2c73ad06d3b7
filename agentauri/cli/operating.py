"""Commands of whoever runs the deployment: users and organizations, made and seen in the database itself.

They need no login, only what ``migrate`` needs: the settings, or a service that runs here. What they change stands in
the audit log as done by the operator.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar
from uuid import UUID

from agentauri.accounts.emails import parse_email, parse_username
from agentauri.accounts.passwords import Passwords
from agentauri.cli import run_file
from agentauri.cli.console import say
from agentauri.cli.login import STANDARD_INPUT, read_secret
from agentauri.cli.printable import printable
from agentauri.cli.tables import print_table, write_json
from agentauri.config import Settings
from agentauri.errors import ConfigError, StartError
from agentauri.models.problems import Problems
from agentauri.store import audit, database, new_accounts, operating, status
from agentauri.store.database import Connection
from agentauri.store.vault import Vault

OPERATOR = audit.Actor("operator")
MAX_NAME = 255

T = TypeVar("T")


def on_database(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run ``work`` in one transaction on the database of the settings, or of the service that runs here.

    Raises StartError when there is none, or it has no schema.
    """
    url = settings.stores.database_url.get_secret_value() or run_file.get(settings.data_dir).database_url

    async def run() -> T:
        connection = await database.connect(url, name="operator")
        try:
            if not await status.is_migrated(connection):
                raise StartError("the database has no schema yet; run: agentauri migrate")
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def create_user(
    settings: Settings, *, email: str, username: str | None, name: str, password: str | None, as_json: bool
) -> None:
    """Create a user as a registration does, the e-mail taken for verified. Raises AgentAuriError."""
    if password not in (None, STANDARD_INPUT):
        raise ConfigError("everybody on this machine can read command lines; leave --password away to be asked.")
    vault = Vault(settings.secret_key.get_secret_value(), settings.earlier_keys())
    secret = read_secret("Password of the new user", twice=True)
    address, login, password_hash = asyncio.run(_check(email, username, name, secret))

    async def create(connection: Connection) -> dict[str, Any]:
        made = await new_accounts.create_account(
            connection, vault, email=address, username=login, name=name, password_hash=password_hash, verified=True
        )
        user = made.user
        actor = audit.Actor(OPERATOR.kind, user_id=user.id)
        await audit.record(connection, actor, "user.created", organization_id=None, target=f"user:{user.id}")
        return {
            "id": user.id,
            "email": user.email,
            "username": user.username,
            "organization_id": made.organization_id,
            "webhook_secret": made.webhook_secret,
        }

    made = on_database(settings, create)
    if as_json:
        write_json(made)
        return
    for label in ("id", "email", "username", "organization_id", "webhook_secret"):
        if made[label] is not None:
            sys.stdout.write(f"{label:<16} {made[label]}\n")
    say("the webhook secret is shown this once.")


async def _check(email: str, username: str | None, name: str, secret: str) -> tuple[str, str | None, str]:
    """The e-mail and user name in their normal forms, and the password's hash. Raises InvalidRequest."""
    passwords = Passwords()
    try:
        problems = Problems()
        address = problems.check("email", parse_email, email)
        login = None if username is None else problems.check("username", parse_username, username)
        if len(name) > MAX_NAME or not name.isprintable():
            problems.add("name", f"must have at most {MAX_NAME} characters, and none that cannot be printed.")
        weakness = await passwords.check(secret, username=login, email=address)
        if weakness is not None:
            problems.add("password", weakness)
        problems.refuse("the user cannot be created")
        assert address is not None  # else it was refused
        return address, login, await passwords.hash(secret)
    finally:
        passwords.close()


def list_users(settings: Settings, *, limit: int, as_json: bool) -> None:
    """Print the newest users."""
    found = on_database(settings, lambda connection: operating.list_users(connection, limit=limit))
    if as_json:
        write_json([asdict(one) for one in found])
        return
    rows = (
        (one.id, one.email, one.username, one.name, _date(one.created_at), _date(one.last_login_at),
         "disabled" if one.disabled_at else "")
        for one in found
    )  # fmt: skip
    print_table(("id", "e-mail", "user name", "name", "created", "last login", ""), rows)


def list_organizations(settings: Settings, *, limit: int, as_json: bool) -> None:
    """Print the newest organizations."""
    found = on_database(settings, lambda connection: operating.list_organizations(connection, limit=limit))
    if as_json:
        write_json([asdict(one) for one in found])
        return
    rows = (
        (one.id, one.name, one.plan, one.members, one.personal_of, _date(one.created_at),
         "paused" if one.paused_at else "")
        for one in found
    )  # fmt: skip
    print_table(("id", "name", "plan", "members", "personal of", "created", ""), rows)


async def get_organization_id(connection: Connection, wanted: str) -> UUID:
    """The id of the organization of that name or id. Raises ConfigError when there is none, or are several."""
    found = await operating.list_organizations_called(connection, wanted, limit=10)
    if not found:
        raise ConfigError(f"there is no organization {printable(wanted)!r}; see: agentauri org list")
    if len(found) > 1:
        ids = ", ".join(str(one.id) for one in found)
        raise ConfigError(f"several organizations have the name {printable(wanted)!r}; give an id: {ids}.")
    return found[0].id


def _date(moment: Any) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M}"
