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

    def last(self, group: str) -> int | None:
        """When the group fired last."""
        last = self.slot.groups.get(group)
        return last.time if isinstance(last, Mark) else None

    def forget(self, group: str, time: int, before: int | None) -> None:
        """The firing at ``time`` was none, if it is what is remembered: the one ``before`` is the last."""
        if self.last(group) != time:
            return
        if before is None:
            del self.slot.groups[group]
        else:
            self.slot.groups[group] = Mark(before)
        self._changes.add((self.slot, group))
