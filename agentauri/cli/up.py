"""``agentauri up``: the service in the foreground, until Ctrl-C."""

import time

from agentauri.cli.console import console, say
from agentauri.cli.service import Service, running
from agentauri.config import Settings

WATCH_SECONDS = 0.5


def up(settings: Settings) -> None:
    """Start everything, stay, and stop everything on Ctrl-C. Raises StartError or ConfigError with the remedy."""
    began = time.monotonic()
    try:
        with running(settings) as service:
            _greet(service, time.monotonic() - began)
            while True:
                time.sleep(WATCH_SECONDS)
                service.watch()
    except KeyboardInterrupt:
        say("stopped; what was stored is kept.")


def _greet(service: Service, seconds: float) -> None:
    chains = ", ".join(f"{chain.name} ({chain.id})" for chain in service.settings.chains)
    console.print(f"[bold green]AgentAuri is ready[/] after {seconds:.0f} s. Ctrl-C stops it.")
    say(f"  API        {service.api_url}/api/v1   docs {service.api_url}/docs")
    say(f"  dashboard  {service.cluster.dashboard_url}   token in {service.process.token}")
    say(f"  data       {service.settings.data_dir}")
    say(f"  chains     {chains or 'none; see [[chains]] in: agentauri config example'}")
