"""Collects everything that is wrong with an input, each with the place where it stands.

A form wants all its mistakes at once, so validators note problems and go on; ``refuse`` ends them in one
InvalidRequest. Guarantees RFC 6901 pointers. Knows nothing of what is validated.
"""

from collections.abc import Callable, Collection
from typing import TypeVar

from agentauri.errors import InvalidRequest

T = TypeVar("T")

MAX_KEY = 100
"""Characters of an unknown key that an answer repeats."""

MAX_SHOWN = 100
"""Problems of one answer; more would help nobody."""


class Problems:
    """What was found so far, in the order in which it was found."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, pointer: str, detail: str) -> None:
        """Note that the value at ``pointer`` is wrong; ``detail`` says what would be right."""
        self._found.append((pointer, detail))

    def check(self, pointer: str, parser: Callable[[object], T], raw: object) -> T | None:
        """What ``parser`` makes of ``raw``; None, and the text of its ValueError noted, where it refuses."""
        try:
            return parser(raw)
        except ValueError as error:
            self.add(pointer, str(error))
            return None

    def check_keys(self, pointer: str, keys: Collection[object], known: Collection[str]) -> None:
        """Note each of an object's ``keys`` that is not ``known``."""
        for key in keys:
            if key not in known:
                self.add(step(pointer, str(key)[:MAX_KEY]), f"unknown; known are {', '.join(known) or 'none'}.")

    def __len__(self) -> int:
        return len(self._found)

    def refuse(self, what: str) -> None:
        """Raise InvalidRequest about ``what`` if anything was noted."""
        if self._found:
            raise InvalidRequest(f"{what}: {self._found[0][0]}: {self._found[0][1]}", self._found[:MAX_SHOWN])


def step(pointer: str, key: str | int) -> str:
    """The pointer of ``key`` inside the value at ``pointer``."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
