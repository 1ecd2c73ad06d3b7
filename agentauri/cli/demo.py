"""``agentauri demo``: what the service does, shown on this machine, and gone afterwards."""

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

from agentauri.cli.console import console, say, step
from agentauri.cli.service import Service, running
from agentauri.config import Settings
from agentauri.demo import run, stage
from agentauri.demo.screen import Screen

WATCH_SECONDS = 0.5


def demo(settings: Settings, *, once: bool) -> bool:
    """Start, show, and stay until Ctrl-C unless ``once``; False when a delivery is missing. Raises StartError."""
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(run.temporary_folder()))
            with step("something to watch"):
                where = stack.enter_context(stage.stage(folder))
            say(f"  {where.note}")
            service = stack.enter_context(running(run.settings_for(settings, where, folder)))
            problems = _show(service, where)
            if once:
                return not problems
            _stay(service)
    except KeyboardInterrupt:
        say("stopped; nothing is left behind.")
    return True


def _show(service: Service, where: stage.Stage) -> list[str]:
    database_url = service.stores.database_url
    problems = asyncio.run(run.show(service.api_url, database_url, where, Screen(console)))
    for problem in problems:
        console.print(f"[bold red]✗[/] {problem}")
    if not problems:
        say("")
        console.print(
            f"[bold green]✓ {run.count_expected()} of {run.count_expected()} deliveries arrived, each signed.[/]"
        )
    return problems


def _stay(service: Service) -> None:
    say("")
    say(f"  API docs   {service.api_url}/docs")
    say(f"  dashboard  {service.cluster.dashboard_url}   token: {service.process.token.read_text().strip()}")
    say("Ctrl-C stops it.")
    while True:
        time.sleep(WATCH_SECONDS)
        service.watch()
