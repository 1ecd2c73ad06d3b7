"""Items by a beginning of text, found by a text: those whose beginning it has, without looking at the others.

A text is asked about once for each length that a beginning has, which is never more often than there are items.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Prefixes(Generic[T]):
    """Items by one beginning each."""

    __slots__ = ("_by_length",)

    def __init__(self) -> None:
        self._by_length: dict[int, dict[str, list[T]]] = {}

    def __len__(self) -> int:
        return len(self._by_length)

    def add(self, beginning: str, item: T) -> None:
        """Put an item in."""
        self._by_length.setdefault(len(beginning), {}).setdefault(beginning, []).append(item)

    def remove(self, beginning: str, item: T) -> None:
        """Take an item out. Raises KeyError or ValueError if it is not there."""
        table = self._by_length[len(beginning)]
        table[beginning].remove(item)
        if not table[beginning]:
            del table[beginning]
        if not table:
            del self._by_length[len(beginning)]

    def find(self, text: str, found: list[T]) -> None:
        """Add the items whose beginning ``text`` has to ``found``."""
        for length, table in self._by_length.items():
            found += table.get(text[:length], ())
