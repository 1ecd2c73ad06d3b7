"""Cool-down: after a firing, matches of the same group are silent for a while of event time."""

from agentauri.engine.state import Changes, Mark, Slot


class CoolDown:
    """The last firings of a trigger, by group."""

    __slots__ = ("_changes", "_seconds", "slot")

    def __init__(self, slot: Slot, seconds: int, changes: Changes) -> None:
        """``changes``: what is touched is added to it."""
        self.slot, self._seconds, self._changes = slot, seconds, changes

    def silences(self, group: str, time: int) -> bool:
        """Whether an earlier firing silences a match at that time; if not, the match is a firing and is noted."""
        last = self.slot.groups.get(group)
        if isinstance(last, Mark) and time < last.time + self._seconds:
            return True
        self.slot.groups[group] = Mark(time)
        self._changes.add((self.slot, group))
        return False
