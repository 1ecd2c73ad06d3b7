"""How far the request of a task has come: noted where a socket is made and where a request goes out.

aiohttp's traces tell the same, and cost a tenth of a webhook. A ``Journey`` belongs to one request of one task at a
time: the guard notes the socket, whoever writes the request (``exchange.py``) that it is sent.
"""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Journey:
    """``opened``: a connection was made for it; ``sent``: it began to go out."""

    opened: bool = False
    sent: bool = False

    @property
    def reused(self) -> bool:
        """Whether it went out on a connection that an earlier request had used."""
        return self.sent and not self.opened


_under_way: ContextVar[Journey] = ContextVar("under_way")
_nobody = Journey()


def begin(journey: Journey) -> None:
    """This task's next request is ``journey``."""
    _under_way.set(journey)


def note_opened() -> None:
    """A socket is made for the request of this task, or of the task that asked for it."""
    _under_way.get(_nobody).opened = True
