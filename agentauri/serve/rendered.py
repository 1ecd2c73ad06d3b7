"""What one replica remembers of rows that it rendered: JSON by id, good while the row's mark is the database's."""

from uuid import UUID

from agentauri.store.trigger_pages import Mark

MAX_BYTES = 32 * 2**20


class Rendered:
    """At most ``max_bytes`` of JSON."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: dict[UUID, tuple[Mark, bytes]] = {}
        self.size = 0
        """Bytes of JSON in it."""

    def find(self, mark: Mark) -> bytes | None:
        """What was kept under this very mark."""
        kept = self._kept.get(mark.id)
        return kept[1] if kept is not None and kept[0] == mark else None

    def keep(self, mark: Mark, text: bytes) -> None:
        """Remember ``text`` instead of what was kept for this id."""
        if self.size + len(text) > self._max_bytes:
            self._kept.clear()  # all at once: rare, cheap, and no bookkeeping for each use
            self.size = 0
        old = self._kept.get(mark.id)
        self.size += len(text) - (0 if old is None else len(old[1]))
        self._kept[mark.id] = mark, text
