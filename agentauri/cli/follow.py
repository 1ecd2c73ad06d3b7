"""A stream of server-sent events followed through broken connections.

Guarantees that nothing is lost and nothing shown twice: each connection begins after the last id that was seen
(``Last-Event-ID``), and what comes again all the same is dropped. Ends only by an answer that trying again cannot
mend, such as a login that has ended.
"""

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from agentauri.cli.client import Client, Params
from agentauri.cli.console import say
from agentauri.cli.refusals import CallFailed

FIRST_WAIT_SECONDS = 0.5
MAX_WAIT_SECONDS = 30.0
JITTER = 0.2
REMEMBERED = 10_000
"""Ids that a server which resumes too early may send again."""
END = "end"
"""The server's last message: why it ends the stream. Whether that is for good, the next answer says."""

Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Message:
    """What a stream told: of which kind, and the object."""

    kind: str
    data: dict[str, Any]


def follow(
    client: Client, path: str, params: Params, *, last_id: str = "", sleep: Sleep = time.sleep
) -> Iterator[Message]:
    """What the stream sends from after ``last_id`` on, for ever. Raises CallFailed when it is refused for good."""
    seen = _Seen(last_id)
    wait = FIRST_WAIT_SECONDS
    while True:
        try:
            with client.stream(path, params, seen.last) as source:
                for raw in source:
                    found = seen.take(raw)
                    if found is not None:
                        wait = FIRST_WAIT_SECONDS
                        yield found
            pause = wait  # the server ended it, as it does before it stops
        except CallFailed as error:
            if _is_final(error):
                raise
            pause = float(error.retry_after or wait)
            say(f"{error.message.rstrip('.')}; going on in {pause:.1f} s.")
        wait = min(wait * 2, MAX_WAIT_SECONDS)
        sleep(pause * random.uniform(1, 1 + JITTER))


class _Seen:
    """The last id, and those before it."""

    def __init__(self, last: str) -> None:
        self.last = last
        self._ids: OrderedDict[str, None] = OrderedDict()

    def take(self, raw: httpx2.ServerSentEvent) -> Message | None:
        """What a message tells; None where it was told before, or only moves the place."""
        if raw.event == END:
            return None
        self.last = raw.id or self.last
        if not raw.data or raw.id in self._ids:
            return None
        if raw.id:
            self._ids[raw.id] = None
            if len(self._ids) > REMEMBERED:
                self._ids.popitem(last=False)
        try:
            found = orjson.loads(raw.data)
        except orjson.JSONDecodeError as error:
            raise CallFailed("the stream sent something that is not JSON.") from error
        return Message(raw.event, found) if isinstance(found, dict) else None


def _is_final(error: CallFailed) -> bool:
    """Whether trying again is of no use: a refusal, but for limits and a service that is being started."""
    return 400 <= error.status < 500 and error.status not in (408, 429)
