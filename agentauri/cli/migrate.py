"""``agentauri migrate``: the database's schema, brought up to date, with the stores of the settings or our own."""

import asyncio

from agentauri import local
from agentauri.cli import run_file
from agentauri.cli.console import say
from agentauri.cli.service import migrate_database, with_stores
from agentauri.config import Settings


def migrate(settings: Settings) -> None:
    """Apply what is missing. Uses the embedded store of a service that runs, else starts it for the while.

    Raises StartError, MigrationError.
    """
    if settings.stores.database_url.get_secret_value():
        _apply(settings)
        return
    run = run_file.find(settings.data_dir)
    if run is not None:
        _apply(with_stores(settings, run.database_url, run.redis_url))
        return
    with (
        local.claim(settings.data_dir) as claim,
        local.stores(claim, redis_url="unused", say=say) as addresses,
    ):
        _apply(with_stores(settings, addresses.database_url, ""))


def _apply(settings: Settings) -> None:
    count = asyncio.run(migrate_database(settings))
    say(f"{count} migrations applied." if count else "the schema is up to date.")
