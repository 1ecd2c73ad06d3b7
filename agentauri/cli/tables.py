"""Results on standard output: tables for people, JSON for programs. Both are safe for the terminal."""

import sys
from collections.abc import Iterable, Mapping

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agentauri.cli.printable import printable

NOTHING = "–"
RIGHT = ("conditions", "actions", "matched", "silenced", "fired", "members")
MAX_CELL = 80
DIGITS = 12
"""Of a double that a person reads, for averages have noise in the last ones; ``--json`` has all."""
WIDTH = 1000
"""Nothing is cut to the terminal's width: ids are there to be copied."""


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table; None is shown as a dash."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=True, justify="right" if name in RIGHT else "left")
    for row in rows:
        table.add_row(*(NOTHING if cell is None else escape(printable(cell, MAX_CELL)) for cell in row))
    Console(highlight=False, width=WIDTH, soft_wrap=True).print(table)


def members(values: Mapping[str, object]) -> str:
    """What was computed, in one cell."""
    return " ".join(f"{name}={_figure(value)}" for name, value in values.items())


def _figure(value: object) -> object:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value


def write_json(value: object) -> None:
    """JSON, ids and times as text."""
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z).decode() + "\n")
