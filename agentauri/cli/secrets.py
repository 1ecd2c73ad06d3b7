"""``agentauri secrets rotate``: from one secret key to the next, without a stop.

The service seals with ``secret_key`` and opens with ``previous_secret_keys`` too; this brings what they sealed under
the key of now. Passes are made until one finds nothing to do, because a process that has not been restarted yet may
still seal with the old key.
"""

import asyncio

from agentauri.cli import run_file
from agentauri.cli.console import say
from agentauri.config import Settings
from agentauri.errors import StartError
from agentauri.store import database, resealing, status
from agentauri.store.database import Connection
from agentauri.store.resealing import PLACES, Tally
from agentauri.store.vault import Vault

MAX_PASSES = 10


def rotate(settings: Settings) -> bool:
    """Seal everything anew; False when something could not be opened. Raises StartError or ConfigError."""
    vault = Vault(settings.secret_key.get_secret_value(), settings.earlier_keys())
    url = settings.stores.database_url.get_secret_value() or run_file.get(settings.data_dir).database_url
    return asyncio.run(_rotate(url, vault))


async def _rotate(url: str, vault: Vault) -> bool:
    connection = await database.connect(url, name="secrets")
    try:
        if not await status.is_migrated(connection):
            raise StartError("the database has no schema yet; run: agentauri migrate")
        total: dict[str, int] = {}
        found: dict[str, Tally] = {}
        for _ in range(MAX_PASSES):
            found = await _pass(connection, vault)
            for name, tally in found.items():
                total[name] = total.get(name, 0) + tally.done
            if not any(tally.done for tally in found.values()):
                break
    finally:
        await connection.close()
    for name, count in total.items():
        say(f"{name}: {count} sealed anew.")
    if unreadable := sum(tally.unreadable for tally in found.values()):
        say(f"{unreadable} cannot be opened with secret_key or previous_secret_keys; set the key that sealed them.")
        return False
    say("everything is sealed under secret_key; previous_secret_keys may go a day from now.")
    return True


async def _pass(connection: Connection, vault: Vault) -> dict[str, Tally]:
    found = {place.name: await resealing.reseal(connection, vault, place) for place in PLACES}
    return {**found, "actions": await resealing.reseal_actions(connection, vault)}
