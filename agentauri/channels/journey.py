"""How far the request of a task has come: noted where a socket is made and where a request goes out.

aiohttp's traces tell the same, and cost a tenth of a webhook. A ``Journey`` belongs to one request of one task at a
time; a client that was opened with ``request_class=NotedRequest`` notes it.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from aiohttp import ClientRequest, ClientResponse
from aiohttp.connector import Connection


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


class NotedRequest(ClientRequest):
    """A request that notes when it begins to go out."""

    async def send(self, conn: Connection) -> ClientResponse:
        """Send it over ``conn``."""
        _under_way.get(_nobody).sent = True
        return await super().send(conn)
