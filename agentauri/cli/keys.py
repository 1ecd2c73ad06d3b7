"""``agentauri key``: API keys, through the API as whoever is logged in; with ``--local`` in the database itself.

A new key's text is the one thing on standard output, so that a script can take it; it is shown this once.
"""

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from agentauri.accounts.api_keys import Environment, make_key, parse_network
from agentauri.accounts.roles import Scope
from agentauri.cli.client import Client
from agentauri.cli.console import say
from agentauri.cli.operating import OPERATOR, get_organization_id, on_database
from agentauri.cli.printable import printable
from agentauri.cli.tables import print_table, write_json
from agentauri.config import Settings
from agentauri.errors import ConfigError
from agentauri.store import api_keys, audit
from agentauri.store.database import Connection

MAX_NAME = 255
MAX_KEYS = 1000

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A key that is wanted, checked."""

    name: str
    scopes: tuple[Scope, ...]
    networks: tuple[str, ...]
    expires_at: datetime | None
    environment: Environment


def order(
    name: str, scopes: Iterable[str], networks: Iterable[str], *, expires_days: int | None, is_test: bool
) -> Order:
    """A key to make. Raises ConfigError that names what is wrong."""
    known = {scope.value for scope in Scope}
    wanted = list(dict.fromkeys(part for one in scopes for part in one.replace(",", " ").split()))
    if unknown := [one for one in wanted if one not in known]:
        raise ConfigError(f"there is no scope {printable(unknown[0])!r}; there are {', '.join(Scope)}.")
    if not wanted or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ConfigError(f"a key needs a scope, and a name of 1 to {MAX_NAME} characters.")
    try:
        allowed = tuple(dict.fromkeys(parse_network(one) for one in networks))
    except ValueError as error:
        raise ConfigError(f"--ip {error}") from None
    until = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    environment = Environment.TEST if is_test else Environment.LIVE
    return Order(name, tuple(Scope(one) for one in wanted), allowed, until, environment)


class Keys(Protocol):
    """Where keys are."""

    def create(self, wanted: Order) -> Found:
        """Make one; ``key`` is its text."""
        ...

    def list(self) -> list[Found]:
        """All of them, the newest first."""
        ...

    def revoke(self, key: Found, reason: str | None) -> None:
        """Revoke one for good."""
        ...


class RemoteKeys:
    """Through the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(self, wanted: Order) -> Found:
        """Make one; ``key`` is its text. Raises CallFailed."""
        body: Found = {
            "name": wanted.name,
            "permissions": list(wanted.scopes),
            "environment": wanted.environment,
            "ip_allow": list(wanted.networks),
        }
        if wanted.expires_at is not None:
            body["expires_at"] = wanted.expires_at.isoformat()
        made: Found = self._client.call("POST", "/api-keys", body)["data"]
        return made

    def list(self) -> list[Found]:
        """All of them, the newest first. Raises CallFailed."""
        return [*self._client.pages("/api-keys")]

    def revoke(self, key: Found, reason: str | None) -> None:
        """Revoke one for good. Raises CallFailed."""
        self._client.call("DELETE", f"/api-keys/{key['id']}", None if reason is None else {"reason": reason})


class LocalKeys:
    """In the database of the settings, as the operator."""

    def __init__(self, settings: Settings, organization: str | None) -> None:
        if not organization:
            raise ConfigError("--local needs --organization; see: agentauri org list")
        self._settings, self._organization = settings, organization

    def create(self, wanted: Order) -> Found:
        """Make one; ``key`` is its text. Raises ConfigError or StartError."""
        made = make_key(wanted.environment)
        new = api_keys.NewApiKey(
            name=wanted.name,
            environment=wanted.environment,
            prefix=made.prefix,
            sha256=made.sha256,
            permissions=wanted.scopes,
            ip_allow=wanted.networks,
            expires_at=wanted.expires_at,
        )

        async def create(connection: Connection) -> Found:
            owner = await get_organization_id(connection, self._organization)
            key = await api_keys.create_key(connection, organization_id=owner, created_by=None, new=new)
            details = {"name": key.name, "permissions": key.permissions}
            await _note(connection, "created", owner, key.id, details)
            return {**asdict(key), "key": made.text}

        return on_database(self._settings, create)

    def list(self) -> list[Found]:
        """The newest of them. Raises ConfigError or StartError."""

        async def read(connection: Connection) -> list[Found]:
            owner = await get_organization_id(connection, self._organization)
            found, _ = await api_keys.list_keys(connection, owner, live=None, limit=MAX_KEYS, offset=0)
            return [asdict(one) for one in found]

        return on_database(self._settings, read)

    def revoke(self, key: Found, reason: str | None) -> None:
        """Revoke one for good. Raises ConfigError or StartError."""

        async def revoke(connection: Connection) -> None:
            owner = await get_organization_id(connection, self._organization)
            if await api_keys.revoke_key(connection, owner, key["id"], reason):
                await _note(connection, "revoked", owner, key["id"], {"reason": reason})

        on_database(self._settings, revoke)


async def _note(connection: Connection, verb: str, owner: UUID, id_: UUID, details: Found) -> None:
    target = f"api_key:{id_}"
    await audit.record(connection, OPERATOR, f"api_key.{verb}", organization_id=owner, target=target, details=details)


def create(keys: Keys, wanted: Order, *, as_json: bool) -> None:
    """Make a key and print its text."""
    made = keys.create(wanted)
    if as_json:
        write_json(made)
        return
    sys.stdout.write(made["key"] + "\n")
    say(f"key {made['id']} ({printable(made['name'])}); its text is shown this once.")


def show_list(keys: Keys, *, as_json: bool) -> None:
    """Print an organization's keys."""
    found = keys.list()
    if as_json:
        write_json(found)
        return
    rows = (
        (one["prefix"] + "…", one["id"], one["name"], _state(one), " ".join(one["permissions"]),
         " ".join(one["ip_allow"]) or "any", _day(one["expires_at"]), _day(one["last_used_at"]))
        for one in found
    )  # fmt: skip
    print_table(("key", "id", "name", "state", "scopes", "from", "expires", "last used"), rows)


def revoke(keys: Keys, wanted: str, *, reason: str | None) -> None:
    """Revoke the key of that id, name or beginning. Raises ConfigError when there is none, or are several."""
    start = wanted.removesuffix("…")
    listed = keys.list()
    found = [one for one in listed if str(one["id"]) == wanted.lower()] or [
        one for one in listed if one["revoked_at"] is None and start in (one["name"], one["prefix"])
    ]
    if len(found) != 1:
        what = f"{len(found)} keys are called" if found else "there is no key"
        raise ConfigError(f"{what} {printable(wanted)!r}; give an id: agentauri key list shows them.")
    keys.revoke(found[0], reason)
    say(f"revoked {printable(found[0]['name'])} ({found[0]['prefix']}…).")


def _state(one: Found) -> str:
    if one["revoked_at"] is not None:
        return "revoked"
    until = one["expires_at"]
    moment = datetime.fromisoformat(until) if isinstance(until, str) else until
    return "expired" if moment is not None and moment <= datetime.now(UTC) else "active"


def _day(moment: Any) -> str | None:
    return None if moment is None else str(moment)[:10]
