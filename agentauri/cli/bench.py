"""``agentauri bench``: figures of this machine, with their spread and the bar that each has to pass."""

import importlib
import sys
from contextlib import redirect_stdout
from enum import StrEnum

import orjson
from rich.table import Table

from agentauri import logs
from agentauri.bench.report import Case, Report
from agentauri.cli.console import console, say


class Bench(StrEnum):
    """The benches that there are."""

    ENGINE = "engine"
    PATH = "path"
    BACKFILL = "backfill"
    LATENCY = "latency"
    RECOVERY = "recovery"
    API = "api"
    DELIVERY = "delivery"


def bench(which: Bench, *, as_json: bool) -> bool:
    """Run one bench and print its report; False when a bar is missed. Raises what a wrong result raises."""
    logs.setup(level="warning")
    with redirect_stdout(sys.stderr):  # Ray prints there that a worker died, which a bench may have wanted
        report: Report = importlib.import_module(f"agentauri.bench.{which.value}").run(say)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.to_json()) + b"\n")
    else:
        console.print(_table(report))
    return all(case.met is not False for case in report.cases)


def _table(report: Report) -> Table:
    table = Table(title=f"bench {report.bench}")
    for name in ("case", "median", "min", "max", "unit", "bar", "met"):
        table.add_column(name, justify="left" if name in ("case", "unit") else "right")
    for case in report.cases:
        table.add_row(*_row(case))
    return table


def _row(case: Case) -> tuple[str, ...]:
    bar = "" if case.bar is None else f"{'≤' if case.lower_is_better else '≥'} {case.bar:,.0f}"
    met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[case.met]
    figures = (f"{figure:,.1f}" for figure in (case.value, min(case.values), max(case.values)))
    return (case.name, *figures, case.unit, bar, met)
