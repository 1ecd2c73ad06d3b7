"""What the actors of the path say to each other beside pages: progress, absence, and the ports they speak through."""

from dataclasses import dataclass
from typing import Protocol

from agentauri.actors.pages import Shared


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the slowest partition of an evaluator is, and the newest epoch that it has met."""

    last_seq: int
    epoch: int


class Away(Exception):
    """The evaluator cannot be reached now; ask again."""


class EvaluatorPort(Protocol):
    """An evaluator as the listener sees it. Both calls raise Away."""

    async def progress(self) -> Progress:
        """How far it is."""

    async def batch(self, page: Shared) -> Progress:
        """Have it work off a page."""
