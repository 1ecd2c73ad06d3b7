"""What ``absence`` remembers: the last event of a group on one chain, and whether its absence was told.

The event is kept as it will be shown, because a firing has to show it long after it was met; of a very large one
the texts are cut.
"""

from typing import Any

import orjson

from agentauri.models.event import Event

MOST_BYTES = 8_192
"""Of a kept event; one beyond it is kept with its texts cut."""
CUT_TEXT = 256
"""Characters that stay of a text that is cut."""


class Silence:
    """The last event as JSON, its time, and whether its absence was told."""

    __slots__ = ("event", "time", "told")

    def __init__(self, time: int, event: bytes, *, told: bool = False) -> None:
        self.time, self.event, self.told = time, event, told

    def dump(self) -> object:
        """[time, told, event as text]."""
        return [self.time, self.told, self.event.decode()]

    @classmethod
    def load(cls, stored: object) -> "Silence":
        """From [time, told, event as text]."""
        match stored:
            case [int() as time, bool() as told, str() as event]:
                return cls(time, event.encode(), told=told)
        raise ValueError("this is no state of an absence")


def kept(event: Event) -> bytes:
    """The event as it is shown, in bounded size."""
    public = event.storable()
    text = orjson.dumps(public)
    return text if len(text) <= MOST_BYTES else orjson.dumps(public | {"data": _cut(public["data"])})


def _cut(data: dict[str, Any]) -> dict[str, Any]:
    cut = {name: value[:CUT_TEXT] if isinstance(value, str) else value for name, value in data.items()}
    return {name: value for name, value in cut.items() if not isinstance(value, dict | list)}
