"""What a terminal shows: steps with their times, lines, and one clear line for every error that we raise on purpose.

People read it on standard error; results that programs read go to standard output.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """One line for people, as it stands."""
    console.print(line, markup=False)


def fail(message: str) -> None:
    """What went wrong and what to do, in one line."""
    console.print(f"[bold red]error:[/] {_plain(message)}")


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show ``text`` while the block runs, and how long it took when it is done."""
    began = time.monotonic()
    with console.status(f"{_plain(text)} …") if console.is_terminal else _nothing():
        yield
    console.print(f"[green]✓[/] {_plain(text)} [dim]{time.monotonic() - began:.1f} s[/]")


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
