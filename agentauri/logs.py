"""The one logging setup: JSON lines in production, readable lines in a terminal, secrets masked in both.

``get(name)`` gives a structlog logger; log as ``log.info("range_committed", chain_id=1, events=12)``: the first
word is a stable snake_case event name, everything else is a keyword.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

SECRET_NAME = re.compile(r"secret|password|token(?!s$)|authorization|api_key|private|cookie|signature", re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"\b(aur_(?:live|test)_|aur[a-z]_|whs(?:ec|k)_)[A-Za-z0-9+/=_-]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|(?<!\d)\d{5,20}:[A-Za-z0-9_-]{30,}"  # a bot's token
)
NOT_SECRET = {"owner_token", "lease_token"}
MASK = "•••"


def mask_secrets(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask values under telling names, and known secret shapes and URL credentials inside any text."""
    for name, value in entry.items():
        if SECRET_NAME.search(name) and name not in NOT_SECRET:
            entry[name] = MASK
        elif isinstance(value, str):
            entry[name] = SECRET_VALUE.sub(lambda found: (found[1] or "") + MASK, value)
    return entry


def setup(*, level: Literal["debug", "info", "warning", "error"] = "info", json: bool = False) -> None:
    """Configure logging of this process; later calls replace earlier ones."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry ``part=name``."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return logger
