"""Options that several commands take, and the settings as a command reads them. Light: every ``--help`` imports it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agentauri.config import Settings

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings file; else agentauri.toml here, if there is one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
Api = Annotated[
    str | None,
    typer.Option("--api", envvar="AGENTAURI_API", help="Address of the API; else the one that was last logged in to."),
]
Organization = Annotated[
    str | None,
    typer.Option(
        "--organization", envvar="AGENTAURI_ORGANIZATION", help="Name or id; else the personal one, or the key's own."
    ),
]


def read_settings(file: Path | None, *, make_secret_key: bool = False) -> "Settings":
    """The settings of this command; from here on the process logs as they say. Raises ConfigError."""
    from agentauri import config, logs

    settings = config.load(file, make_secret_key=make_secret_key)
    logs.setup(level=settings.log.level, json=settings.environment == "production")
    return settings
