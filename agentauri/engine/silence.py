"""What ``absence`` remembers: the last event of a group on one chain, and whether its absence was told.

With the telling goes what the cool-down remembered before it, so that the telling can be taken back.

The event is kept as it will be shown, because a firing has to show it long after it was met; of a very large one
the texts are cut.
"""

from typing import Any
from uuid import UUID

import orjson

from agentauri.models.event import Event

MOST_BYTES = 8_192
"""Of a kept event; one beyond it is kept with its texts cut."""
CUT_TEXT = 256
"""Characters that stay of a text that is cut."""


class Silence:
    """The last event as JSON, its time, whether its absence was told, and the firing before that (None: none)."""

    __slots__ = ("event", "fired_before", "time", "told")

    def __init__(self, time: int, event: bytes, *, told: bool = False, fired_before: int | None = None) -> None:
        self.time, self.event, self.told, self.fired_before = time, event, told, fired_before

    @property
    def event_id(self) -> UUID:
        """Of the last event."""
        return UUID(orjson.loads(self.event)["id"])

    @property
    def seq(self) -> int:
        """The last event's place in the log."""
        seq: int = orjson.loads(self.event)["seq"]
        return seq

    def dump(self) -> object:
        """[time, told, event as text, and the firing before, if there was one]."""
        dumped: list[object] = [self.time, self.told, self.event.decode()]
        return dumped if self.fired_before is None else [*dumped, self.fired_before]

    @classmethod
    def load(cls, stored: object) -> "Silence":
        """From what ``dump`` gives."""
        match stored:
            case [int() as time, bool() as told, str() as event]:
                return cls(time, event.encode(), told=told)
            case [int() as time, bool() as told, str() as event, int() as fired_before]:
                return cls(time, event.encode(), told=told, fired_before=fired_before)
        raise ValueError("this is no state of an absence")


def kept(event: Event) -> bytes:
    """The event as it is shown, in bounded size."""
    public = event.storable()
    text = orjson.dumps(public)
    return text if len(text) <= MOST_BYTES else orjson.dumps(public | {"data": _cut(public["data"])})


def _cut(data: dict[str, Any]) -> dict[str, Any]:
    cut = {name: value[:CUT_TEXT] if isinstance(value, str) else value for name, value in data.items()}
    return {name: value for name, value in cut.items() if not isinstance(value, dict | list)}
