"""``agentauri status``: actors, chains, the log, pasts and deliveries of the service that runs, from any terminal.

PostgreSQL answers for data, Ray's dashboard for actors. Where one of the two is away, the other is shown, and a line
says what is missing.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from agentauri.cli import run_file
from agentauri.cli.console import say
from agentauri.config import Settings
from agentauri.errors import StartError
from agentauri.store import database, start_work, status
from agentauri.store.start_work import Waiting

STATE_COLORS = {"alive": "green", "starting": "yellow", "restarting": "yellow", "dead": "red"}


@dataclass(frozen=True, slots=True)
class Report:
    """How the service stands. ``actors`` is None when Ray could not be asked."""

    actors: list[dict[str, Any]] | None
    chains: list[status.ChainStatus]
    listener: status.ListenerStatus
    pasts: Waiting
    deliveries: dict[str, int]

    def public(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        return {
            "actors": self.actors or [],
            "chains": [
                {"id": one.id, "head": one.head, "indexed": one.indexed, "lag_blocks": one.lag_blocks}
                for one in self.chains
            ],
            "listener": {"epoch": self.listener.epoch, "cursor": self.listener.cursor, "lag": self.listener.lag},
            "pasts": {"working": self.pasts.working, "lag": self.pasts.lag},
            "deliveries": self.deliveries,
        }


def show(settings: Settings, *, as_json: bool) -> None:
    """Print the status on standard output. Raises StartError when nothing runs, or PostgreSQL does not answer."""
    run = run_file.find(settings.data_dir)
    url = run.database_url if run else settings.stores.database_url.get_secret_value()
    if not url:
        run = run_file.get(settings.data_dir)
        url = run.database_url
    report = Report(_actors(run), *asyncio.run(_read(url)))
    if as_json:
        sys.stdout.write(orjson.dumps(report.public()).decode() + "\n")
    else:
        _print(report)


def _actors(run: run_file.Run | None) -> list[dict[str, Any]] | None:
    """Actors as Ray's dashboard knows them; None, with a line that says why, if it cannot be asked."""
    if run is None:
        say("no service runs here; what follows is what the database says.")
        return None
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": run.token_file}
    from ray.util.state.exception import RayStateApiException

    from agentauri.actors import handles

    try:
        return handles.actor_states(address=run.dashboard_url)
    except (RayStateApiException, OSError, RuntimeError) as error:
        say(f"actors are unknown: Ray's dashboard at {run.dashboard_url} does not answer ({type(error).__name__}).")
        return None


async def _read(url: str) -> tuple[list[status.ChainStatus], status.ListenerStatus, Waiting, dict[str, int]]:
    connection = await database.connect(url, name="status")
    try:
        if not await status.is_migrated(connection):
            raise StartError("the database has no schema yet; run: agentauri migrate")
        return (
            await status.list_chains(connection),
            await status.get_listener(connection),
            await start_work.count(connection),
            await status.delivery_counts(connection),
        )
    finally:
        await connection.close()


def _print(report: Report) -> None:
    out = Console(highlight=False)
    listener = report.listener
    out.print(f"log: epoch {listener.epoch}, evaluated up to {listener.cursor}, behind by {listener.lag}")
    if report.pasts.working:
        out.print(f"pasts: {report.pasts.working} worked off, the furthest behind by {report.pasts.lag}")
    for table in (_actor_table(report), _chain_table(report), _delivery_table(report)):
        if table.row_count:
            out.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name)
    return table


def _actor_table(report: Report) -> Table:
    table = _table("actor", "state", "process", "restarts")
    for one in report.actors or []:
        color = STATE_COLORS.get(one["state"], "white")
        table.add_row(one["name"], f"[{color}]{one['state']}[/]", str(one["pid"]), str(one["restarts"]))
    return table


def _chain_table(report: Report) -> Table:
    table = _table("chain", "id", "head", "indexed", "behind", "provider", "last error")
    for one in report.chains:
        numbers = ["–" if value is None else str(value) for value in (one.head, one.indexed, one.lag_blocks)]
        table.add_row(one.name, str(one.id), *numbers, one.provider, one.last_error.replace("[", r"\["))
    return table


def _delivery_table(report: Report) -> Table:
    table = _table("deliveries", "rows")
    for name, count in report.deliveries.items():
        table.add_row(name, str(count))
    return table
